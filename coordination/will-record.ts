/**
 * Wills as they are kept in the coordination store (`wills/…` and `firing/…`), where they survive their owner.
 *
 *   version (1: 1), flags (1: bits 0–1 QoS, 2 retain, 3 has properties, 4 has message expiry, 5 is due at a known time,
 *   6 left out), id incarnation (8), id number (8), delay s (4), message expiry s (4), due at wall ms (8),
 *   then, unless left out: topic (2 + n), publisher (2 + n), properties (2 + n), payload (the rest)
 *
 * A will that takes more than WILL_BYTES_MAX, or for which its node has no room, is left out: only its header is kept, so that it is known, and counted, that
 * there was one; its owner alone can publish it. Numbers are big-endian, the 8-byte ones doubles.
 */
import type { WillRecord } from '../src/core/ports/session-journal.ts'
import type { MessageId } from '../src/core/publication.ts'
import type { QoS } from '../src/core/qos.ts'

/** A will as it was read. */
export interface KeptWill {
  /** Undefined when it was too large, or there was too much, to be kept here. */
  readonly will: WillRecord | undefined
  readonly id: MessageId
  /** Wall clock ms; undefined while its client is connected. */
  readonly dueAtMs: number | undefined
}

/** Value of one will key: 10 million of the usual 100–200 B take 1–2 GB of the store, of this size 41 GB. */
export const WILL_BYTES_MAX = 4096

const VERSION = 1
const HEADER_BYTES = 34
const RETAIN = 4
const PROPERTIES = 8
const EXPIRES = 16
const DUE = 32
const LEFT_OUT = 64

/**
 * `dueAtMs`: wall clock ms, once its client has gone. A will longer than `bytesMax`, which is WILL_BYTES_MAX at most, is left
 * out.
 */
export function encodeWill(
  record: WillRecord,
  id: MessageId,
  dueAtMs?: number,
  bytesMax = WILL_BYTES_MAX,
): Uint8Array {
  const { publication, messageExpirySeconds, delaySeconds } = record
  const topic = new TextEncoder().encode(publication.topic)
  const publisher = new TextEncoder().encode(publication.publisher)
  const properties = publication.properties ?? new Uint8Array(0)
  const parts = [topic, publisher, properties]
  const size = parts.reduce((sum, part) => sum + 2 + part.length, HEADER_BYTES + publication.payload.length)
  const isLeftOut = size > bytesMax
  const bytes = new Uint8Array(isLeftOut ? HEADER_BYTES : size)
  const view = new DataView(bytes.buffer)
  view.setUint8(0, VERSION)
  view.setUint8(
    1,
    publication.qos |
      (publication.retain ? RETAIN : 0) |
      (publication.properties === undefined ? 0 : PROPERTIES) |
      (messageExpirySeconds === undefined ? 0 : EXPIRES) |
      (dueAtMs === undefined ? 0 : DUE) |
      (isLeftOut ? LEFT_OUT : 0),
  )
  view.setFloat64(2, id.incarnation)
  view.setFloat64(10, id.number)
  view.setUint32(18, delaySeconds)
  view.setUint32(22, messageExpirySeconds ?? 0)
  view.setFloat64(26, dueAtMs ?? 0)
  if (isLeftOut) return bytes
  let at = HEADER_BYTES
  for (const part of parts) {
    view.setUint16(at, part.length)
    bytes.set(part, at + 2)
    at += 2 + part.length
  }
  bytes.set(publication.payload, at)
  return bytes
}

/** Whether a value written by `encodeWill` is the header alone. */
export function isLeftOut(bytes: Uint8Array): boolean {
  return ((bytes[1] ?? 0) & LEFT_OUT) !== 0
}

/** Undefined when the value is no will of this version. Payload and properties are views into `bytes`. */
export function decodeWill(bytes: Uint8Array): KeptWill | undefined {
  if (bytes.length < HEADER_BYTES || bytes[0] !== VERSION) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const flags = view.getUint8(1)
  const qos = qosOf(flags)
  if (qos === undefined) return undefined
  const id = { incarnation: view.getFloat64(2), number: view.getFloat64(10) }
  if (!isPositive(id.incarnation) || !isPositive(id.number)) return undefined
  const dueAtMs = (flags & DUE) === 0 ? undefined : view.getFloat64(26)
  if ((flags & LEFT_OUT) !== 0) return { will: undefined, id, dueAtMs }
  const parts: Uint8Array[] = []
  let at = HEADER_BYTES
  for (let i = 0; i < 3; i++) {
    if (at + 2 > bytes.length) return undefined
    const end = at + 2 + view.getUint16(at)
    if (end > bytes.length) return undefined
    parts.push(bytes.subarray(at + 2, end))
    at = end
  }
  const [topic, publisher, properties] = parts as [Uint8Array, Uint8Array, Uint8Array]
  const text = new TextDecoder()
  const publication = {
    topic: text.decode(topic),
    payload: bytes.subarray(at),
    qos,
    retain: (flags & RETAIN) !== 0,
    properties: (flags & PROPERTIES) === 0 ? undefined : properties,
    expiresAtMs: undefined,
    publisher: text.decode(publisher),
    id,
  }
  const messageExpirySeconds = (flags & EXPIRES) === 0 ? undefined : view.getUint32(22)
  return { will: { publication, messageExpirySeconds, delaySeconds: view.getUint32(18) }, id, dueAtMs }
}

function qosOf(flags: number): QoS | undefined {
  const qos = flags & 3
  return qos === 3 ? undefined : (qos as QoS)
}

function isPositive(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0
}
