/**
 * Frames of the "forward" channel; WIRE.md describes them.
 *
 * A PUBLISH is encoded once for all peers: what differs from peer to peer or with time (sequence, remaining expiry) stands
 * at fixed offsets and is stamped before each send. Decoding believes nothing: every length is checked.
 */
import type { SharedTarget } from '../src/core/ports/routing.ts'
import type { MessageId, Publication, RetainedStamp } from '../src/core/publication.ts'
import type { TraceContext } from '../src/core/ports/tracing.ts'
import type { QoS } from '../src/core/qos.ts'

/** `publishWithoutId` is what PUBLISH was before publications had ids: refused, with a reason an operator understands. */
export const frameKind = {
  publishWithoutId: 1,
  accept: 2,
  resume: 3,
  publish: 4,
  forget: 5,
  refuse: 6,
  /** PUBLISH with the context of a trace. */
  tracedPublish: 7,
  trace: 8,
  flush: 9,
  flushed: 10,
  /** QoS 0 publications in the packets they came in, of MQTT 3.1.1 and of MQTT 5. */
  packets: 11,
  packets5: 12,
} as const

const QOS_MASK = 0b0000_0011
const RETAIN = 0b0000_0100
const PROPERTIES = 0b0000_1000
const EXPIRY = 0b0001_0000
const ID = 0b0010_0000
const STAMP = 0b0100_0000
const SHARED = 0b1000_0000

const SEQUENCE_OFFSET = 2
const EXPIRY_OFFSET = 10
const FIXED_BYTES = 18
/** An id, or a stamp. */
const PAIR_BYTES = 16
const TRACE_ID_BYTES = 16
const SPAN_ID_BYTES = 8
const CONTEXT_BYTES = TRACE_ID_BYTES + SPAN_ID_BYTES
const NO_BYTES = new Uint8Array(0)
const TWO_32 = 2 ** 32

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Encodes a PUBLISH frame, for one member of a shared subscription or, without `target`, for ordinary subscribers; sequence
 * and expiry are left to `stampPublish`. With `trace` it says so to the receiver.
 */
export function encodePublish(
  publication: Publication,
  target?: SharedTarget,
  trace?: TraceContext,
): Uint8Array {
  const { topic, payload, properties, qos, retain, expiresAtMs, id, stamp } = publication
  const topicLength = Buffer.byteLength(topic)
  const idBytes = id === undefined ? 0 : PAIR_BYTES
  const stampBytes = stamp === undefined ? 0 : PAIR_BYTES
  const targetBytes = target === undefined ? NO_BYTES : encodeTarget(target, publication.publisherKey)
  const propertyBytes = properties === undefined ? 0 : 4 + properties.length
  const contextBytes = trace === undefined ? 0 : CONTEXT_BYTES
  // Of the pool: making a Uint8Array costs more than filling it. Every byte is written, so that none of other frames leaves.
  const frame = Buffer.allocUnsafe(
    FIXED_BYTES +
      contextBytes +
      2 +
      topicLength +
      idBytes +
      stampBytes +
      targetBytes.length +
      propertyBytes +
      payload.length,
  )
  frame[0] = trace === undefined ? frameKind.publish : frameKind.tracedPublish
  frame[1] =
    qos |
    (retain ? RETAIN : 0) |
    (properties === undefined ? 0 : PROPERTIES) |
    (expiresAtMs === undefined ? 0 : EXPIRY) |
    (id === undefined ? 0 : ID) |
    (stamp === undefined ? 0 : STAMP) |
    (target === undefined ? 0 : SHARED)
  stampPublish(frame, 0, 0)
  let at = FIXED_BYTES
  if (trace !== undefined) {
    frame.set(Buffer.from(trace.traceId + trace.spanId, 'hex'), at)
    at += CONTEXT_BYTES
  }
  frame[at++] = topicLength >> 8
  frame[at++] = topicLength & 0xff
  at += frame.write(topic, at)
  if (id !== undefined) {
    writeUint64(frame, at, id.incarnation)
    writeUint64(frame, at + 8, id.number)
    at += PAIR_BYTES
  }
  if (stamp !== undefined) {
    writeUint64(frame, at, stamp.time)
    writeUint64(frame, at + 8, stamp.incarnation)
    at += PAIR_BYTES
  }
  if (targetBytes.length > 0) {
    frame.set(targetBytes, at)
    at += targetBytes.length
  }
  if (properties !== undefined) {
    writeUint32(frame, at, properties.length)
    frame.set(properties, at + 4)
    at += propertyBytes
  }
  frame.set(payload, at)
  return frame
}

/** Stands in no name, so that a group is still one without a publisher's key behind it. */
const KEY_MARK = '\0'

function encodeTarget({ group, filter }: SharedTarget, publisherKey: number | undefined): Uint8Array {
  const name = publisherKey === undefined ? group : `${group}${KEY_MARK}${publisherKey.toString(16)}`
  const texts = [encoder.encode(name), encoder.encode(filter)]
  const bytes = new Uint8Array(texts.reduce((sum, { length }) => sum + 2 + length, 0))
  let at = 0
  for (const text of texts) {
    bytes[at] = text.length >> 8
    bytes[at + 1] = text.length & 0xff
    bytes.set(text, at + 2)
    at += 2 + text.length
  }
  return bytes
}

/** Writes what is particular to one sending: the peer's sequence (0 at QoS 0) and the time left, ms. */
export function stampPublish(frame: Uint8Array, sequence: number, remainingMs: number): void {
  writeUint64(frame, SEQUENCE_OFFSET, sequence)
  writeUint64(frame, EXPIRY_OFFSET, remainingMs)
}

/** Whether a PUBLISH frame is for a shared subscription. */
export function isForGroup(frame: Uint8Array): boolean {
  return ((frame[1] as number) & SHARED) !== 0
}

/** A PUBLISH frame, with or without the context of a trace. */
export function isPublish(frame: Uint8Array): boolean {
  return frame[0] === frameKind.publish || frame[0] === frameKind.tracedPublish
}

/** The id in a PUBLISH frame of this node's making; undefined when it has none. */
export function idOf(frame: Uint8Array): MessageId | undefined {
  if (!isPublish(frame) || ((frame[1] as number) & ID) === 0) return undefined
  const topicAt = FIXED_BYTES + (frame[0] === frameKind.tracedPublish ? CONTEXT_BYTES : 0)
  return readId(frame, textEnd(frame, topicAt))
}

/** The context of the trace a PUBLISH frame belongs to; undefined when there is none. */
export function traceContextOf(frame: Uint8Array): TraceContext | undefined {
  if (frame[0] !== frameKind.tracedPublish || frame.length < FIXED_BYTES + CONTEXT_BYTES) return undefined
  const hex = Buffer.from(frame.subarray(FIXED_BYTES, FIXED_BYTES + CONTEXT_BYTES)).toString('hex')
  return { traceId: hex.slice(0, 2 * TRACE_ID_BYTES), spanId: hex.slice(2 * TRACE_ID_BYTES) }
}

/** Whether a PUBLISH frame expires, so that decoding it needs the time. */
export function expires(frame: Uint8Array): boolean {
  return ((frame[1] as number) & EXPIRY) !== 0
}

/** QoS of a PUBLISH frame. */
export function qosOf(frame: Uint8Array): number {
  return (frame[1] as number) & QOS_MASK
}

export interface ForwardedPublish {
  /** 0 at QoS 0. */
  readonly sequence: number
  /** At QoS 0 its payload and properties are views into the frame; at QoS ≥ 1 copies. */
  readonly publication: Publication
  /** Whose member it is for; undefined = it is for ordinary subscribers. */
  readonly target: SharedTarget | undefined
}

type Optional = 'id' | 'stamp' | 'publisherKey'

/** Decodes a PUBLISH frame; undefined when it is malformed. `nowMs`: wall clock, not used unless it `expires`. */
export function decodePublish(frame: Uint8Array, nowMs: number): ForwardedPublish | undefined {
  if (!isPublish(frame)) return undefined
  const topicAt = FIXED_BYTES + (frame[0] === frameKind.tracedPublish ? CONTEXT_BYTES : 0)
  if (frame.length < topicAt + 2) return undefined
  const flags = frame[1] as number
  const qos = flags & QOS_MASK
  if (qos === 3) return undefined
  const sequence = readUint64(frame, SEQUENCE_OFFSET)
  if (sequence > 0 !== qos > 0) return undefined
  const topic = readText(frame, topicAt)
  if (topic === undefined || topic === '') return undefined
  let at = textEnd(frame, topicAt)
  let id: MessageId | undefined
  if ((flags & ID) !== 0) {
    id = readId(frame, at)
    if (id === undefined) return undefined
    at += PAIR_BYTES
  }
  let stamp: RetainedStamp | undefined
  if ((flags & STAMP) !== 0) {
    const pair = readPair(frame, at)
    if (pair === undefined) return undefined
    stamp = { time: pair[0], incarnation: pair[1] }
    at += PAIR_BYTES
  }
  let target: SharedTarget | undefined
  let publisherKey: number | undefined
  if ((flags & SHARED) !== 0) {
    const name = readText(frame, at)
    const filterAt = textEnd(frame, at)
    const filter = readText(frame, filterAt)
    if (name === undefined || filter === undefined) return undefined
    const mark = name.indexOf(KEY_MARK)
    const group = mark === -1 ? name : name.slice(0, mark)
    if (mark !== -1) {
      publisherKey = Number.parseInt(name.slice(mark + 1), 16)
      if (!(publisherKey >= 0 && publisherKey < TWO_32)) return undefined
    }
    target = { group, filter }
    at = textEnd(frame, filterAt)
  }
  let properties: Uint8Array | undefined
  if ((flags & PROPERTIES) !== 0) {
    if (at + 4 > frame.length) return undefined
    const end = at + 4 + readUint32(frame, at)
    if (end > frame.length) return undefined
    properties = frame.subarray(at + 4, end)
    at = end
  }
  const payload = frame.subarray(at)
  const publication: Omit<Publication, Optional> & { -readonly [key in Optional]?: Publication[key] } = {
    topic,
    payload: qos > 0 ? Buffer.from(payload) : payload,
    qos: qos as QoS,
    retain: (flags & RETAIN) !== 0,
    properties: qos > 0 && properties !== undefined ? Buffer.from(properties) : properties,
    expiresAtMs: (flags & EXPIRY) !== 0 ? nowMs + readUint64(frame, EXPIRY_OFFSET) : undefined,
    publisher: '',
  }
  if (id !== undefined) publication.id = id
  if (stamp !== undefined) publication.stamp = stamp
  if (publisherKey !== undefined) publication.publisherKey = publisherKey
  return { sequence, publication, target }
}

/** A text behind its length in bytes; undefined when it does not fit or is not UTF-8. */
function readText(frame: Uint8Array, at: number): string | undefined {
  const end = textEnd(frame, at)
  if (!(end <= frame.length)) return undefined
  try {
    return decoder.decode(frame.subarray(at + 2, end))
  } catch {
    return undefined
  }
}

/** Where the text at `at` ends; NaN when its length does not fit. */
function textEnd(frame: Uint8Array, at: number): number {
  return at + 2 + (frame[at] as number) * 256 + (frame[at + 1] as number)
}

/** The id at `at`; undefined when it does not fit or cannot be one. */
function readId(frame: Uint8Array, at: number): MessageId | undefined {
  const pair = readPair(frame, at)
  return pair && { incarnation: pair[0], number: pair[1] }
}

/** Two positive integers; undefined when they do not fit or are none. */
function readPair(frame: Uint8Array, at: number): readonly [number, number] | undefined {
  if (at + PAIR_BYTES > frame.length) return undefined
  const first = readUint64(frame, at)
  const second = readUint64(frame, at + 8)
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(second)) return undefined
  return first > 0 && second > 0 ? [first, second] : undefined
}

const packetsHead = Uint8Array.of(frameKind.packets)
const packets5Head = Uint8Array.of(frameKind.packets5)

/** What a frame of packets begins with, always the same object; packets as they came from their publishers follow. */
export function headOfPackets(isVersion5: boolean): Uint8Array {
  return isVersion5 ? packets5Head : packetsHead
}

/** Where the first packet stands in a frame of packets. */
export const PACKETS_OFFSET = 1

/** A frame of packets, of whichever version of MQTT. */
export function hasPackets(frame: Uint8Array): boolean {
  return frame[0] === frameKind.packets || frame[0] === frameKind.packets5
}

/** FORGET: this life ends and holds nothing. */
export function forgetFrame(): Uint8Array {
  return Uint8Array.of(frameKind.forget)
}

const POSITION_BYTES = 9

type PositionKind = 'accept' | 'resume' | 'refuse' | 'flush' | 'flushed'

/**
 * ACCEPT or RESUME: everything up to `sequence` has been accepted. REFUSE: that one reached nobody. FLUSH and FLUSHED: a
 * question's number and its answer.
 */
export function encodePosition(kind: (typeof frameKind)[PositionKind], sequence: number): Uint8Array {
  const frame = new Uint8Array(POSITION_BYTES)
  frame[0] = kind
  writeUint64(frame, 1, sequence)
  return frame
}

/** The number in a frame that `encodePosition` made; undefined when it is malformed. */
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
