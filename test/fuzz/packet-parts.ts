import { variableByteInteger } from '../support/raw-packet.ts'

/** A whole packet taken apart at its fixed header. */
export interface PacketParts {
  readonly first: number
  readonly body: Buffer
}

/** Takes a packet apart; what earlier mutations broke gives any parts. */
export function partsOf(packet: Buffer): PacketParts {
  return { first: packet[0] ?? 0, body: packet.subarray(readVariable(packet, 1).next) }
}

/** Puts a packet together; `length` is what its header claims, by default the truth. */
export function packetOf({ first, body }: PacketParts, length = body.length): Buffer {
  return Buffer.concat([Buffer.from([first]), variableByteInteger(length), body])
}

/** Puts encoded properties before those that a v5 packet has; undefined for packets without a property section. */
export function withProperties(packet: Buffer, added: Buffer): Buffer | undefined {
  const { first, body } = partsOf(packet)
  const offset = propertiesOffset(first, body)
  if (offset === undefined || offset >= body.length) return undefined
  const { value, next } = readVariable(body, offset)
  return packetOf({
    first,
    body: Buffer.concat([
      body.subarray(0, offset),
      variableByteInteger(value + added.length),
      added,
      body.subarray(next),
    ]),
  })
}

/** Where the property section of a valid v5 packet begins. */
function propertiesOffset(first: number, body: Buffer): number | undefined {
  switch (first >> 4) {
    case 1:
      return 10
    case 3:
      return 2 + body.readUInt16BE(0) + ((first & 6) === 0 ? 0 : 2)
    case 4:
    case 5:
    case 6:
    case 7:
      return 3
    case 8:
    case 10:
      return 2
    case 14:
    case 15:
      return 1
    default:
      return undefined
  }
}

/** A variable byte integer of at most four bytes, which may be cut short: mutated packets are mutated again. */
function readVariable(bytes: Buffer, offset: number): { value: number; next: number } {
  let value = 0
  let next = offset
  for (let shift = 0; shift < 28 && next < bytes.length; shift += 7) {
    const byte = bytes[next++] ?? 0
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  return { value, next }
}
