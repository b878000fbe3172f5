import { GrapevineError } from '../../src/core/errors.ts'
import type { CoordinationEntry } from '../../src/core/ports/coordination-store.ts'

const HEADER_BYTES = 16

/** A revision, as stored: 8 bytes, big-endian. */
export function encodeRevision(revision: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(revision))
  return bytes
}

/** Throws STORE_CORRUPT naming `storeKey`. */
export function decodeRevision(storeKey: string, bytes: Uint8Array): number {
  if (bytes.byteLength !== 8) throw corrupt(storeKey)
  return revisionAt(storeKey, bytes, 0)
}

/** An entry without key and lease: create revision, mod revision, value. */
export function encodeEntry({ createRevision, modRevision, value }: CoordinationEntry): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + value.byteLength)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, BigInt(createRevision))
  view.setBigUint64(8, BigInt(modRevision))
  bytes.set(value, HEADER_BYTES)
  return bytes
}

/** Throws STORE_CORRUPT naming `storeKey`. */
export function decodeEntry(storeKey: string, key: string, bytes: Uint8Array): CoordinationEntry {
  if (bytes.byteLength < HEADER_BYTES) throw corrupt(storeKey)
  const createRevision = revisionAt(storeKey, bytes, 0)
  const modRevision = revisionAt(storeKey, bytes, 8)
  if (createRevision > modRevision) throw corrupt(storeKey)
  return { key, value: bytes.slice(HEADER_BYTES), createRevision, modRevision, leaseId: '0' }
}

function revisionAt(storeKey: string, bytes: Uint8Array, offset: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const revision = Number(view.getBigUint64(offset))
  if (!Number.isSafeInteger(revision) || revision < 1) throw corrupt(storeKey)
  return revision
}

export function corrupt(storeKey: string): GrapevineError {
  return new GrapevineError(
    'STORE_CORRUPT',
    `the local store's entry ${JSON.stringify(storeKey)} is not a coordination record; restore the data directory from a copy, or remove it to start empty`,
  )
}
