/**
 * Frames of the "forward" channel; WIRE.md describes them.
 *
 * A PUBLISH is encoded once for all peers: what differs from peer to peer or with time (sequence, remaining expiry) stands
 * at fixed offsets and is stamped before each send. Decoding believes nothing: every length is checked.
 */
import type { Publication } from '../src/core/publication.ts'
import type { QoS } from '../src/core/qos.ts'

export const frameKind = { publish: 1, accept: 2, resume: 3 } as const

const QOS_MASK = 0b0000_0011
const RETAIN = 0b0000_0100
const PROPERTIES = 0b0000_1000
const EXPIRY = 0b0001_0000
const KNOWN_FLAGS = QOS_MASK | RETAIN | PROPERTIES | EXPIRY

const SEQUENCE_OFFSET = 2
const EXPIRY_OFFSET = 10
const FIXED_BYTES = 18
const TWO_32 = 2 ** 32

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Encodes a PUBLISH frame; sequence and expiry are left to `stampPublish`. */
export function encodePublish(publication: Publication): Uint8Array {
  const { topic, payload, properties, qos, retain, expiresAtMs } = publication
  const topicBytes = encoder.encode(topic)
  const propertyBytes = properties === undefined ? 0 : 4 + properties.length
  const frame = new Uint8Array(FIXED_BYTES + 2 + topicBytes.length + propertyBytes + payload.length)
  frame[0] = frameKind.publish
  frame[1] =
    qos |
    (retain ? RETAIN : 0) |
    (properties === undefined ? 0 : PROPERTIES) |
    (expiresAtMs === undefined ? 0 : EXPIRY)
  let at = FIXED_BYTES
  frame[at++] = topicBytes.length >> 8
  frame[at++] = topicBytes.length & 0xff
  frame.set(topicBytes, at)
  at += topicBytes.length
  if (properties !== undefined) {
    writeUint32(frame, at, properties.length)
    frame.set(properties, at + 4)
    at += propertyBytes
  }
  frame.set(payload, at)
  return frame
}

/** Writes what is particular to one sending: the peer's sequence (0 at QoS 0) and the time left, ms. */
export function stampPublish(frame: Uint8Array, sequence: number, remainingMs: number): void {
  writeUint64(frame, SEQUENCE_OFFSET, sequence)
  writeUint64(frame, EXPIRY_OFFSET, remainingMs)
}

export interface ForwardedPublish {
  /** 0 at QoS 0. */
  readonly sequence: number
  /** At QoS 0 its payload and properties are views into the frame; at QoS ≥ 1 copies. */
  readonly publication: Publication
}

/** Decodes a PUBLISH frame; undefined when it is malformed. `nowMs`: wall clock. */
export function decodePublish(frame: Uint8Array, nowMs: number): ForwardedPublish | undefined {
  if (frame.length < FIXED_BYTES + 2 || frame[0] !== frameKind.publish) return undefined
  const flags = frame[1] as number
  const qos = flags & QOS_MASK
  if ((flags & ~KNOWN_FLAGS) !== 0 || qos === 3) return undefined
  const sequence = readUint64(frame, SEQUENCE_OFFSET)
  if (sequence > 0 !== qos > 0) return undefined
  const topicStart = FIXED_BYTES + 2
  const topicEnd = topicStart + (((frame[FIXED_BYTES] as number) << 8) | (frame[FIXED_BYTES + 1] as number))
  if (topicEnd > frame.length || topicEnd === topicStart) return undefined
  let topic: string
  try {
    topic = decoder.decode(frame.subarray(topicStart, topicEnd))
  } catch {
    return undefined
  }
  let at = topicEnd
  let properties: Uint8Array | undefined
  if ((flags & PROPERTIES) !== 0) {
    if (at + 4 > frame.length) return undefined
    const end = at + 4 + readUint32(frame, at)
    if (end > frame.length) return undefined
    properties = frame.subarray(at + 4, end)
    at = end
  }
  const payload = frame.subarray(at)
  return {
    sequence,
    publication: {
      topic,
      payload: qos > 0 ? Buffer.from(payload) : payload,
      qos: qos as QoS,
      retain: (flags & RETAIN) !== 0,
      properties: qos > 0 && properties !== undefined ? Buffer.from(properties) : properties,
      expiresAtMs: (flags & EXPIRY) !== 0 ? nowMs + readUint64(frame, EXPIRY_OFFSET) : undefined,
      publisher: '',
    },
  }
}

const POSITION_BYTES = 9

/** ACCEPT or RESUME: everything up to `sequence` has been accepted. */
export function encodePosition(
  kind: typeof frameKind.accept | typeof frameKind.resume,
  sequence: number,
): Uint8Array {
  const frame = new Uint8Array(POSITION_BYTES)
  frame[0] = kind
  writeUint64(frame, 1, sequence)
  return frame
}

/** The sequence of an ACCEPT or RESUME; undefined when it is malformed. */
export function decodePosition(frame: Uint8Array): number | undefined {
  return frame.length === POSITION_BYTES ? readUint64(frame, 1) : undefined
}

function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) * 2 ** 24 +
    (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number))
  )
}

function writeUint64(bytes: Uint8Array, at: number, value: number): void {
  writeUint32(bytes, at, Math.floor(value / TWO_32))
  writeUint32(bytes, at + 4, value % TWO_32)
}

function readUint64(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at) * TWO_32 + readUint32(bytes, at + 4)
}
