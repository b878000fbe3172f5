/**
 * The few MQTT packets that the load generator sends besides PUBLISH, as bytes. Checked against mqtt-packet in
 * test/bench.
 */

/** 4 is MQTT 3.1.1, 5 is MQTT 5.0. */
export type ProtocolVersion = 4 | 5

export const packetType = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  disconnect: 14,
} as const

/** The variable byte integer that follows a packet's first byte [MQTT5 1.5.5]. */
export function encodeRemainingLength(length: number): Buffer {
  const bytes: number[] = []
  let rest = length
  do {
    const low = rest % 128
    rest = Math.floor(rest / 128)
    bytes.push(rest > 0 ? low | 0x80 : low)
  } while (rest > 0)
  return Buffer.from(bytes)
}

export interface ConnectOptions {
  version: ProtocolVersion
  clientId: string
  /** False asks for a session that outlives the connection: in v5 with a session expiry of one hour. */
  cleanSession: boolean
}

/** CONNECT without will or credentials; keep-alive 0, so that idle clients need no pings. */
export function encodeConnect({ version, clientId, cleanSession }: ConnectOptions): Buffer {
  const flags = cleanSession ? 0x02 : 0x00
  const expiry = version === 5 && !cleanSession ? Buffer.from([5, 0x11, 0, 0, 0x0e, 0x10]) : Buffer.from([0])
  return packet(
    0x10,
    string('MQTT'),
    Buffer.from([version, flags, 0, 0]),
    version === 5 ? expiry : Buffer.alloc(0),
    string(clientId),
  )
}

/** Which nodes shall know a subscription before SUBACK, as the user property `suback-barrier` says it. */
export type SubackBarrier = 'local' | 'quorum' | 'all'

/** SUBSCRIBE to one filter, packet identifier 1. `barrier` is for version 5. */
export function encodeSubscribe(
  version: ProtocolVersion,
  filter: string,
  qos: 0 | 1 | 2,
  barrier?: SubackBarrier,
): Buffer {
  const userProperty =
    barrier === undefined
      ? Buffer.alloc(0)
      : Buffer.concat([Buffer.from([0x26]), string('suback-barrier'), string(barrier)])
  const properties =
    version === 5
      ? Buffer.concat([encodeRemainingLength(userProperty.length), userProperty])
      : Buffer.alloc(0)
  return packet(0x82, Buffer.from([0, 1]), properties, string(filter), Buffer.from([qos]))
}

/** A normal DISCONNECT; both versions allow the two-byte form. */
export const disconnectPacket: Buffer = Buffer.from([0xe0, 0])

/** First bytes of the four-byte acknowledgement packets (PUBREL has its reserved flag set). */
export const acknowledgementHead = { puback: 0x40, pubrec: 0x50, pubrel: 0x62, pubcomp: 0x70 } as const

/** Writes a four-byte PUBACK, PUBREC, PUBREL or PUBCOMP and answers the position behind it. */
export function writeAcknowledgement(bytes: Buffer, at: number, head: number, packetId: number): number {
  bytes[at] = head
  bytes[at + 1] = 2
  bytes[at + 2] = packetId >> 8
  bytes[at + 3] = packetId & 0xff
  return at + 4
}

function packet(head: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([head]), encodeRemainingLength(body.length), body])
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text)
  const length = Buffer.alloc(2)
  length.writeUInt16BE(bytes.length)
  return Buffer.concat([length, bytes])
}
