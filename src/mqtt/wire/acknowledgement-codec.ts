import { reason } from '../reason-codes.ts'
import { packetType, type PacketFault, type ProtocolVersion } from './packet-types.ts'
import { readVarint, walkProperties } from './properties.ts'

/** PUBACK, PUBREC, PUBREL and PUBCOMP have one shape (MQTT 5 sections 3.4–3.7). */
export interface Acknowledgement {
  readonly packetId: number
  readonly reasonCode: number
}

/** Reads the body of an acknowledgement packet; a fault when it is malformed. */
export function readAcknowledgement(
  bytes: Uint8Array,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
  type: number,
): Acknowledgement | PacketFault {
  const length = end - bodyStart
  if (length < 2 || (length > 2 && version < 5)) return malformed('acknowledgement length')
  const packetId = ((bytes[bodyStart] as number) << 8) | (bytes[bodyStart + 1] as number)
  if (packetId === 0) return malformed('packet identifier 0')
  if (length > 3) {
    const block = readVarint(bytes, bodyStart + 3, end)
    if (block === undefined || block[1] + block[0] !== end) return malformed('acknowledgement properties')
    const fault = walkProperties(bytes, block[1], end, type)
    if (fault !== undefined) return fault
  }
  return { packetId, reasonCode: length > 2 ? (bytes[bodyStart + 2] as number) : 0 }
}

/** Bytes of an acknowledgement without properties. */
export function acknowledgementBytes(version: ProtocolVersion, reasonCode: number): number {
  return version === 5 && reasonCode !== 0 ? 5 : 4
}

/** Writes an acknowledgement of `type` at `at`; returns the offset behind it. Success has no reason code byte. */
export function writeAcknowledgement(
  bytes: Uint8Array,
  at: number,
  version: ProtocolVersion,
  type: number,
  packetId: number,
  reasonCode: number,
): number {
  const length = acknowledgementBytes(version, reasonCode)
  bytes[at] = (type << 4) | (type === packetType.pubrel ? 2 : 0)
  bytes[at + 1] = length - 2
  bytes[at + 2] = packetId >> 8
  bytes[at + 3] = packetId & 0xff
  if (length === 5) bytes[at + 4] = reasonCode
  return at + length
}

function malformed(detail: string): PacketFault {
  return { reasonCode: reason.malformedPacket, detail }
}
