import type { ClientConnection } from '../client-connection.ts'
import { reason } from '../reason-codes.ts'
import { packetType, type PacketFault } from '../wire/packet-types.ts'
import { readVarint, walkProperties } from '../wire/properties.ts'

/** PUBACK of a message we sent. Whatever its reason code, the message is done [MQTT-4.3.2-3]. */
export function handleAcknowledgement(
  connection: ClientConnection,
  bytes: Uint8Array,
  bodyStart: number,
  end: number,
): PacketFault | undefined {
  const length = end - bodyStart
  if (length < 2 || (length > 2 && connection.version < 5)) return malformed('PUBACK length')
  const packetId = ((bytes[bodyStart] as number) << 8) | (bytes[bodyStart + 1] as number)
  if (packetId === 0) return malformed('packet identifier 0')
  if (length > 3) {
    const block = readVarint(bytes, bodyStart + 3, end)
    if (block === undefined || block[1] + block[0] !== end) return malformed('PUBACK properties')
    const fault = walkProperties(bytes, block[1], end, packetType.puback)
    if (fault !== undefined) return fault
  }
  connection.session?.acknowledge(packetId)
  return undefined
}

function malformed(detail: string): PacketFault {
  return { reasonCode: reason.malformedPacket, detail }
}
