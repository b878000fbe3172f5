import { crc32 } from 'node:zlib'
import { GrapevineError } from '../core/errors.ts'

/*
 * The frame around every record of the journals. It knows bytes and checksums, not where records lie or what is in them.
 *
 * Every record, in every version: version (1 byte), kind (1), body, CRC-32 (4) of the UTF-8 of its key followed by all
 * bytes before the checksum. So a record that was torn, changed or moved to another key is found out, and one of a newer
 * version is told apart from a damaged one. Numbers are big-endian; integers beyond 32 bits are IEEE doubles, exact to 2^53.
 */

const VERSION = 6
/**
 * Version 2 differs in that publications have no ids, which their flags say, version 3 in that messages in an outbox have no
 * publisher, version 4 in that no retained message lacks its payload, version 5 in that no queued message names a shared
 * subscription; they are read, not written.
 */
const VERSION_READ_MIN = 2
const kinds = {
  session: 1,
  subscription: 2,
  'queued message': 3,
  'released message': 4,
  'received identifier': 5,
  will: 6,
  'retained message': 7,
  'outbox message': 8,
  'retained entry': 9,
  time: 10,
  'seen id': 11,
  'known publication': 12,
  life: 13,
  'large retained entry': 14,
  'coordination mark': 15,
} as const
type Kind = keyof typeof kinds

/** Every record begins with version and kind; the body follows. */
const BODY = 2
const CHECKSUM_BYTES = 4

/** A record whose body is to be filled in, from byte 2 on, before it is sealed. */
export function allocate(kind: Kind, bodyBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(BODY + bodyBytes + CHECKSUM_BYTES)
  bytes[0] = VERSION
  bytes[1] = kinds[kind]
  return bytes
}

/** Fills in the checksum; returns the same bytes. */
export function seal(key: string, bytes: Buffer): Buffer {
  const end = bodyEnd(bytes)
  bytes.writeUInt32BE(crc32(bytes.subarray(0, end), crc32(key)), end)
  return bytes
}

/** The record's bytes once they are known to be as written. Throws `GrapevineError` STORE_CORRUPT naming the key. */
export function unseal(key: string, record: Uint8Array, kind: Kind, bodyBytesMin: number): Buffer {
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength)
  const end = bodyEnd(bytes)
  if (end < BODY || bytes.readUInt32BE(end) !== crc32(bytes.subarray(0, end), crc32(key))) {
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
  if (version < VERSION_READ_MIN || !isKind(bytes, kind) || end - BODY < bodyBytesMin) {
    throw corrupt(key, `it is not the record of a ${kind}`)
  }
  return bytes
}

/** Whether a record, sealed or not, says that it is of this kind. */
export function isKind(record: Uint8Array, kind: Kind): boolean {
  return record[1] === kinds[kind]
}

/** Where the body ends. */
export function bodyEnd(bytes: Uint8Array): number {
  return bytes.length - CHECKSUM_BYTES
}

/** A fault of stored data. `reason` completes "the record … cannot be read (…)". */
export function corrupt(key: string, reason: string): GrapevineError {
  return new GrapevineError(
    'STORE_CORRUPT',
    `the stored record ${JSON.stringify(key)} cannot be read (${reason}), so what this node keeps cannot be trusted; ` +
      'restore the data directory from a backup, or move it away to start empty',
  )
}

export function bit(position: number, isSet: boolean): number {
  return isSet ? 1 << position : 0
}

export function hasBit(flags: number, position: number): boolean {
  return ((flags >> position) & 1) === 1
}
