import type { MessageId, Publication } from '../core/publication.ts'
import type { QoS } from '../core/qos.ts'
import { bit, bodyEnd, corrupt, hasBit } from './record-seal.ts'

/*
 * A publication at the end of a record's body:
 *
 *   flags (1: bits 0–1 QoS, 2 retain, 3 has properties, 4 expires, 5 has an id), expires at (8), topic (2 + n),
 *   publisher (2 + n), properties (4 + n), with bit 5 the id's incarnation (8) and number (8), payload (the rest)
 *
 * Records of version 2 have no ids.
 */

export const PUBLICATION_BYTES_MIN = 17
const ID_BYTES = 16

export function publicationBytes({ topic, publisher, properties, payload, id }: Publication): number {
  return (
    PUBLICATION_BYTES_MIN +
    Buffer.byteLength(topic) +
    Buffer.byteLength(publisher) +
    (properties?.length ?? 0) +
    (id === undefined ? 0 : ID_BYTES) +
    payload.length
  )
}

/** Writes what `publicationBytes` counted. */
export function writePublication(bytes: Buffer, start: number, publication: Publication): void {
  const { topic, payload, qos, retain, properties, expiresAtMs, publisher, id } = publication
  bytes[start] =
    qos |
    bit(2, retain) |
    bit(3, properties !== undefined) |
    bit(4, expiresAtMs !== undefined) |
    bit(5, id !== undefined)
  let at = bytes.writeDoubleBE(expiresAtMs ?? 0, start + 1)
  at = writeText(bytes, at, topic)
  at = writeText(bytes, at, publisher)
  at = bytes.writeUInt32BE(properties?.length ?? 0, at)
  if (properties !== undefined) {
    bytes.set(properties, at)
    at += properties.length
  }
  if (id !== undefined) {
    at = bytes.writeDoubleBE(id.incarnation, at)
    at = bytes.writeDoubleBE(id.number, at)
  }
  bytes.set(payload, at)
}

/**
 * Reads a publication that fills the body of an unsealed record from `start` on. Its payload and properties are views into
 * `bytes`. Throws `GrapevineError` STORE_CORRUPT naming the key.
 */
export function readPublication(key: string, bytes: Buffer, start: number): Publication {
  const end = bodyEnd(bytes)
  if (start + PUBLICATION_BYTES_MIN > end) throw corrupt(key, 'its lengths do not fit')
  let at = start + 9
  const take = (length: number): Buffer => {
    if (at + length > end) throw corrupt(key, 'its lengths do not fit')
    at += length
    return bytes.subarray(at - length, at)
  }
  const flags = bytes.readUInt8(start)
  const topic = take(take(2).readUInt16BE()).toString('utf8')
  const publisher = take(take(2).readUInt16BE()).toString('utf8')
  const properties = take(take(4).readUInt32BE())
  const id = hasBit(flags, 5) ? readId(take(ID_BYTES)) : undefined
  const payload = take(end - at)
  const publication: Omit<Publication, 'id'> & { id?: MessageId } = {
    topic,
    payload,
    qos: qosOf(key, flags & 3),
    retain: hasBit(flags, 2),
    properties: hasBit(flags, 3) ? properties : undefined,
    expiresAtMs: hasBit(flags, 4) ? bytes.readDoubleBE(start + 1) : undefined,
    publisher,
  }
  if (id !== undefined) publication.id = id
  return publication
}

function readId(bytes: Buffer): MessageId {
  return { incarnation: bytes.readDoubleBE(0), number: bytes.readDoubleBE(8) }
}

export function qosOf(key: string, value: number): QoS {
  if (value === 0 || value === 1 || value === 2) return value
  throw corrupt(key, `its QoS is ${value}`)
}

/** Writes a text behind its length in bytes; returns where it ends. */
export function writeText(bytes: Buffer, at: number, text: string): number {
  const length = bytes.write(text, at + 2)
  bytes.writeUInt16BE(length, at)
  return at + 2 + length
}

/** Reads what `writeText` wrote at `start`, and where it ends. Throws `GrapevineError` STORE_CORRUPT naming the key. */
export function readText(key: string, bytes: Buffer, start: number): readonly [text: string, end: number] {
  const end = start + 2 <= bodyEnd(bytes) ? start + 2 + bytes.readUInt16BE(start) : Infinity
  if (end > bodyEnd(bytes)) throw corrupt(key, 'its lengths do not fit')
  return [bytes.toString('utf8', start + 2, end), end]
}
