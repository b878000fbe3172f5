import { generate, type IConnectPacket } from 'mqtt-packet'
import { PublishDecoder } from './publish-decoder.ts'

type WillProperties = NonNullable<NonNullable<IConnectPacket['will']>['properties']>

/** The properties of a will that travel with its publication, encoded as in `Publication.properties`. */
export function encodeWillProperties(will: WillProperties): Uint8Array | undefined {
  const { willDelayInterval: _delay, messageExpiryInterval: _expiry, ...travelling } = will
  const packet = generate(
    { cmd: 'publish', topic: 'will', payload: '', qos: 0, dup: false, retain: false, properties: travelling },
    { protocolVersion: 5 },
  )
  const decoder = new PublishDecoder()
  const headerBytes = 1 + remainingLengthBytes(packet)
  const fault = decoder.decode(packet, 0, headerBytes, packet.length, 5)
  if (fault !== undefined) throw new Error(`mqtt-packet made a PUBLISH we refuse: ${fault.detail}`)
  return decoder.properties
}

function remainingLengthBytes(packet: Uint8Array): number {
  let count = 1
  while ((packet[count] as number) >= 128) count++
  return count
}
