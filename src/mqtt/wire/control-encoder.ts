import {
  generate,
  writeToStream,
  type IConnackPacket,
  type IDisconnectPacket,
  type Packet,
} from 'mqtt-packet'
import { connectReturnCode } from '../reason-codes.ts'
import { asBuffer } from './utf8.ts'
import { packetType, type ProtocolVersion } from './packet-types.ts'

// Its cache of all 65,536 two-byte numbers would cost more memory than ten thousand idle clients.
writeToStream.cacheNumbers = false

type ConnackProperties = NonNullable<IConnackPacket['properties']>
type DisconnectProperties = NonNullable<IDisconnectPacket['properties']>

function encode(packet: Packet, version: ProtocolVersion): Uint8Array {
  return generate(packet, { protocolVersion: version })
}

/** `reasonCode` is a v5 code; 3.x clients get the return code that says most of it. */
export function encodeConnack(
  version: ProtocolVersion,
  reasonCode: number,
  sessionPresent: boolean,
  properties: ConnackProperties,
): Uint8Array {
  if (version === 5) return encode({ cmd: 'connack', reasonCode, sessionPresent, properties }, 5)
  // MQTT 3.1 has no Session Present: the byte is reserved there.
  const present = version === 4 && sessionPresent
  return encode(
    { cmd: 'connack', returnCode: connectReturnCode(reasonCode), sessionPresent: present },
    version,
  )
}

/** One code per filter of the SUBSCRIBE, in its order [MQTT-3.8.4-6]. */
export function encodeSuback(
  version: ProtocolVersion,
  packetId: number,
  codes: readonly number[],
): Uint8Array {
  const granted = version === 5 ? [...codes] : codes.map(code => (code >= 0x80 ? 0x80 : code))
  return encode({ cmd: 'suback', messageId: packetId, granted }, version)
}

export function encodeUnsuback(
  version: ProtocolVersion,
  packetId: number,
  codes: readonly number[],
): Uint8Array {
  return encode({ cmd: 'unsuback', messageId: packetId, granted: version === 5 ? [...codes] : [] }, version)
}

/** Only MQTT 5 servers send it. */
export function encodeDisconnect(reasonCode: number, properties: DisconnectProperties): Uint8Array {
  return encode({ cmd: 'disconnect', reasonCode, properties }, 5)
}

/** AUTH; `data` absent = no Authentication Data property. */
export function encodeAuth(
  reasonCode: number,
  authenticationMethod: string,
  data: Uint8Array | undefined,
): Uint8Array {
  const authenticationData = data === undefined ? {} : { authenticationData: asBuffer(data) }
  return encode({ cmd: 'auth', reasonCode, properties: { authenticationMethod, ...authenticationData } }, 5)
}

export const pingresp = new Uint8Array([packetType.pingresp << 4, 0])
