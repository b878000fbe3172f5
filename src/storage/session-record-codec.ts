import { crc32 } from 'node:zlib'
import { GrapevineError } from '../core/errors.ts'
import type { QueuedRecord, SessionRecord, SubscriptionRecord } from '../core/ports/session-journal.ts'
import type { QoS } from '../core/qos.ts'

/*
 * Binary records of the session journal. It knows bytes and checksums, not where records lie.
 *
 * Every record, in every version: version (1 byte), kind (1), body, CRC-32 (4) of the UTF-8 of its key followed by all
 * bytes before the checksum. So a record that was torn, changed or moved to another key is found out, and one of a newer
 * version is told apart from a damaged one. Numbers are big-endian; integers beyond 32 bits are IEEE doubles, exact to 2^53.
 *
 *   session       flags (1: bit 0 disconnected), token epoch (8), token revision (8), expiry interval s (4), disconnected at (8)
 *   subscription  flags (1: bits 0–1 QoS, 2 no local, 3 retain as published, 4 has identifier), identifier (4)
 *   queued        flags (1: bits 0–1 QoS of the delivery, 2–3 of the publication, 4 retain, 5 has properties, 6 expires),
 *                 expires at (8), topic (2 + n), publisher (2 + n), properties (4 + n), payload (the rest)
 *
 * The client id, the filter and the position are in the key (store-session-journal.ts).
 */

const VERSION = 1
const kinds = { session: 1, subscription: 2, queued: 3 } as const
type Kind = keyof typeof kinds

const HEADER_BYTES = 2
const CHECKSUM_BYTES = 4

export function encodeSession(key: string, record: Omit<SessionRecord, 'clientId'>): Uint8Array {
  const bytes = allocate('session', 29)
  bytes.writeUInt8(record.disconnectedAtMs === undefined ? 0 : 1, 2)
  bytes.writeDoubleBE(record.token.epoch, 3)
  bytes.writeDoubleBE(record.token.revision, 11)
  bytes.writeUInt32BE(record.expiryIntervalSeconds, 19)
  bytes.writeDoubleBE(record.disconnectedAtMs ?? 0, 23)
  return seal(key, bytes)
}

/** Throws `GrapevineError` STORE_CORRUPT naming the key, as all decoders here. */
export function decodeSession(key: string, record: Uint8Array): Omit<SessionRecord, 'clientId'> {
  const bytes = unseal(key, record, 'session', 29)
  return {
    token: { epoch: bytes.readDoubleBE(3), revision: bytes.readDoubleBE(11) },
    expiryIntervalSeconds: bytes.readUInt32BE(19),
    disconnectedAtMs: (bytes.readUInt8(2) & 1) === 0 ? undefined : bytes.readDoubleBE(23),
  }
}

export function encodeSubscription(key: string, record: Omit<SubscriptionRecord, 'filter'>): Uint8Array {
  const { qos, noLocal, retainAsPublished, subscriptionIdentifier } = record
  const bytes = allocate('subscription', 5)
  bytes.writeUInt8(
    qos | bit(2, noLocal) | bit(3, retainAsPublished) | bit(4, subscriptionIdentifier !== undefined),
    2,
  )
  bytes.writeUInt32BE(subscriptionIdentifier ?? 0, 3)
  return seal(key, bytes)
}

export function decodeSubscription(key: string, record: Uint8Array): Omit<SubscriptionRecord, 'filter'> {
  const bytes = unseal(key, record, 'subscription', 5)
  const flags = bytes.readUInt8(2)
  return {
    qos: qosOf(key, flags & 3),
    noLocal: hasBit(flags, 2),
    retainAsPublished: hasBit(flags, 3),
    subscriptionIdentifier: hasBit(flags, 4) ? bytes.readUInt32BE(3) : undefined,
  }
}

export function encodeQueued(key: string, record: Omit<QueuedRecord, 'position'>): Uint8Array {
  const { topic, payload, qos, retain, properties, expiresAtMs, publisher } = record.publication
  const topicBytes = Buffer.byteLength(topic)
  const publisherBytes = Buffer.byteLength(publisher)
  const propertiesBytes = properties?.length ?? 0
  const bytes = allocate('queued', 17 + topicBytes + publisherBytes + propertiesBytes + payload.length)
  bytes.writeUInt8(
    record.qos |
      (qos << 2) |
      bit(4, retain) |
      bit(5, properties !== undefined) |
      bit(6, expiresAtMs !== undefined),
    2,
  )
  bytes.writeDoubleBE(expiresAtMs ?? 0, 3)
  let at = bytes.writeUInt16BE(topicBytes, 11)
  at += bytes.write(topic, at)
  at = bytes.writeUInt16BE(publisherBytes, at)
  at += bytes.write(publisher, at)
  at = bytes.writeUInt32BE(propertiesBytes, at)
  if (properties !== undefined) bytes.set(properties, at)
  bytes.set(payload, at + propertiesBytes)
  return seal(key, bytes)
}

/** The publication's payload and properties are views into `record`. */
export function decodeQueued(key: string, record: Uint8Array): Omit<QueuedRecord, 'position'> {
  const bytes = unseal(key, record, 'queued', 17)
  const end = bytes.length - CHECKSUM_BYTES
  let at = 11
  const take = (length: number): Buffer => {
    if (at + length > end) throw corrupt(key, 'its lengths do not fit')
    at += length
    return bytes.subarray(at - length, at)
  }
  const flags = bytes.readUInt8(2)
  const topic = take(take(2).readUInt16BE()).toString('utf8')
  const publisher = take(take(2).readUInt16BE()).toString('utf8')
  const properties = take(take(4).readUInt32BE())
  const payload = take(end - at)
  return {
    qos: qosOf(key, flags & 3),
    publication: {
      topic,
      payload,
      qos: qosOf(key, (flags >> 2) & 3),
      retain: hasBit(flags, 4),
      properties: hasBit(flags, 5) ? properties : undefined,
      expiresAtMs: hasBit(flags, 6) ? bytes.readDoubleBE(3) : undefined,
      publisher,
    },
  }
}

/** A fault of stored session data. `reason` completes "the record … cannot be read: …". */
export function corrupt(key: string, reason: string): GrapevineError {
  return new GrapevineError(
    'STORE_CORRUPT',
    `the stored record ${JSON.stringify(key)} cannot be read (${reason}), so its session cannot be trusted; ` +
      'restore the data directory from a backup, or move it away to start empty',
  )
}

function allocate(kind: Kind, bodyBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + bodyBytes + CHECKSUM_BYTES)
  bytes[0] = VERSION
  bytes[1] = kinds[kind]
  return bytes
}

function seal(key: string, bytes: Buffer): Buffer {
  const end = bytes.length - CHECKSUM_BYTES
  bytes.writeUInt32BE(crc32(bytes.subarray(0, end), crc32(key)), end)
  return bytes
}

function unseal(key: string, record: Uint8Array, kind: Kind, bodyBytesMin: number): Buffer {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength)
  const end = bytes.length - CHECKSUM_BYTES
  if (end < HEADER_BYTES || bytes.readUInt32BE(end) !== crc32(bytes.subarray(0, end), crc32(key))) {
    throw corrupt(key, 'its checksum is wrong')
  }
  const version = bytes.readUInt8(0)
  if (version > VERSION) {
    throw new GrapevineError(
      'STORE_CORRUPT',
      `the stored record ${JSON.stringify(key)} was written by a newer Grapevine (record version ${version}, ` +
        `this one knows ${VERSION}); start the newer version again, or move the data directory away to start empty`,
    )
  }
  if (version !== VERSION || bytes.readUInt8(1) !== kinds[kind] || end - HEADER_BYTES < bodyBytesMin) {
    throw corrupt(key, `it is not a ${kind} record`)
  }
  return bytes
}

function qosOf(key: string, value: number): QoS {
  if (value === 0 || value === 1 || value === 2) return value
  throw corrupt(key, `its QoS is ${value}`)
}

function bit(position: number, isSet: boolean): number {
  return isSet ? 1 << position : 0
}

function hasBit(flags: number, position: number): boolean {
  return ((flags >> position) & 1) === 1
}
