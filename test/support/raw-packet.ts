/**
 * MQTT bytes by hand, for packets that a well-behaved encoder refuses to make and for details that a decoder hides.
 * Nothing here checks anything: what is asked for is written.
 */
export type MqttVersion = 4 | 5

/** A UTF-8 string or binary data behind its two-byte length. */
export function field(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content)
  return Buffer.concat([u16(bytes.length), bytes])
}

export function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff])
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function variableByteInteger(value: number): Buffer {
  const bytes: number[] = []
  do {
    const low = value & 0x7f
    value >>>= 7
    bytes.push(value > 0 ? low | 0x80 : low)
  } while (value > 0)
  return Buffer.from(bytes)
}

/** A whole packet: the first byte (type and flags), the remaining length, and the rest. */
export function frame(first: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([first]), variableByteInteger(body.length), body])
}

/** A property section of v5, empty for 3.1.1 so that one call serves both. */
export function properties(version: MqttVersion, ...parts: readonly Uint8Array[]): Buffer {
  if (version < 5) return Buffer.alloc(0)
  const body = Buffer.concat(parts)
  return Buffer.concat([variableByteInteger(body.length), body])
}

/** One property of v5: its identifier and its encoded value. */
export function property(identifier: number, value: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([identifier]), value])
}

export interface ConnectFrame {
  readonly version: MqttVersion
  readonly protocolName?: string
  readonly level?: number
  /** The connect flags; clean start alone by default. */
  readonly flags?: number
  readonly keepAlive?: number
  readonly properties?: readonly Uint8Array[]
  /** The payload, field by field. */
  readonly payload: readonly Uint8Array[]
}

export function connectFrame(connect: ConnectFrame): Buffer {
  return frame(
    0x10,
    field(connect.protocolName ?? 'MQTT'),
    Buffer.from([connect.level ?? connect.version, connect.flags ?? 0x02]),
    u16(connect.keepAlive ?? 60),
    properties(connect.version, ...(connect.properties ?? [])),
    ...connect.payload,
  )
}

const oneByte = new Set([0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a])
const twoBytes = new Set([0x13, 0x21, 0x22, 0x23])
const fourBytes = new Set([0x02, 0x11, 0x18, 0x27])
const subscriptionIdentifier = 0x0b
const userProperty = 0x26

/** The user properties of a v5 PUBLISH in the order of the wire, which mqtt-packet groups by name. */
export function userPropertiesInOrder(publish: Uint8Array): [name: string, value: string][] {
  const bytes = Buffer.from(publish)
  const qos = ((bytes[0] as number) >> 1) & 3
  let offset = readVariable(bytes, 1).next
  offset += 2 + bytes.readUInt16BE(offset) + (qos > 0 ? 2 : 0)
  const length = readVariable(bytes, offset)
  offset = length.next
  const end = offset + length.value
  const found: [string, string][] = []
  const string = (): string => {
    const size = bytes.readUInt16BE(offset)
    offset += 2 + size
    return bytes.toString('utf8', offset - size, offset)
  }
  while (offset < end) {
    const identifier = bytes[offset++] as number
    if (oneByte.has(identifier)) offset += 1
    else if (twoBytes.has(identifier)) offset += 2
    else if (fourBytes.has(identifier)) offset += 4
    else if (identifier === subscriptionIdentifier) offset = readVariable(bytes, offset).next
    else if (identifier === userProperty) found.push([string(), string()])
    else string()
  }
  return found
}

/** A variable byte integer at `offset`, and where the bytes behind it begin. */
export function readVariable(bytes: Uint8Array, offset: number): { value: number; next: number } {
  let value = 0
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[offset++] as number
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return { value, next: offset }
  }
}
