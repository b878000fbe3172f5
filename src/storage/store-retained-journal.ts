import type { RetainedEntry, RetainedJournal } from '../core/ports/retained.ts'
import type { JournalWriter } from './journal-writer.ts'
import {
  PUBLICATION_BYTES_MIN,
  publicationBytes,
  readPublication,
  writePublication,
} from './publication-codec.ts'
import { allocate, corrupt, isKind, seal, unseal } from './record-seal.ts'

/**
 * An entry lies under this and its topic, as it is; the record's body is the stamp's time (8) and incarnation (8), doubles, and
 * the publication (publication-codec.ts). One whose payload is on other nodes is a record of the kind 'large retained entry': the
 * stamp, the payload's length (4), and the publication without it. Records of the kind 'retained message', of earlier versions, have no stamp.
 */
const RETAINED_PREFIX = 'retained/'
const ALIVE_KEY = 'retained-alive'
const STAMP_BYTES = 16
const LENGTH_BYTES = 4

/** What has no stamp is older than everything that has one. */
const NO_STAMP = { time: 1, incarnation: 1 }

/** The retained messages on the node's own store, one row per topic. */
export class StoreRetainedJournal implements RetainedJournal {
  readonly #writer: JournalWriter

  constructor(writer: JournalWriter) {
    this.#writer = writer
  }

  put(entry: RetainedEntry): number {
    const key = RETAINED_PREFIX + entry.topic
    const { absentBytes, stamp } = entry
    const headBytes = STAMP_BYTES + (absentBytes === undefined ? 0 : LENGTH_BYTES)
    const kind = absentBytes === undefined ? 'retained entry' : 'large retained entry'
    const bytes = allocate(kind, headBytes + publicationBytes(entry))
    bytes.writeDoubleBE(stamp.time, 2)
    bytes.writeDoubleBE(stamp.incarnation, 10)
    if (absentBytes !== undefined) bytes.writeUInt32BE(absentBytes, 2 + STAMP_BYTES)
    writePublication(bytes, 2 + headBytes, entry)
    return this.#writer.put(key, seal(key, bytes))
  }

  delete(topic: string): number {
    return this.#writer.delete(RETAINED_PREFIX + topic)
  }

  markAlive(wallMs: number): void {
    const bytes = allocate('time', 8)
    bytes.writeDoubleBE(wallMs, 2)
    this.#writer.put(ALIVE_KEY, seal(ALIVE_KEY, bytes))
  }

  async lastAliveMs(): Promise<number | undefined> {
    const value = await this.#writer.get(ALIVE_KEY)
    return value && unseal(ALIVE_KEY, value, 'time', 8).readDoubleBE(2)
  }

  /** Payloads and properties are the publications' own bytes. */
  async *load(): AsyncIterable<RetainedEntry> {
    for await (const [key, value] of this.#writer.range(RETAINED_PREFIX)) {
      const entry = readEntry(key, value)
      if (RETAINED_PREFIX + entry.topic !== key) throw corrupt(key, 'it is of another topic')
      yield entry
    }
  }
}

function readEntry(key: string, value: Uint8Array): RetainedEntry {
  if (isKind(value, 'retained message')) {
    const unstamped = unseal(key, value, 'retained message', PUBLICATION_BYTES_MIN)
    return { ...readPublication(key, unstamped, 2), stamp: NO_STAMP }
  }
  const isAbsent = isKind(value, 'large retained entry')
  const headBytes = STAMP_BYTES + (isAbsent ? LENGTH_BYTES : 0)
  const kind = isAbsent ? 'large retained entry' : 'retained entry'
  const bytes = unseal(key, value, kind, headBytes + PUBLICATION_BYTES_MIN)
  const stamp = { time: bytes.readDoubleBE(2), incarnation: bytes.readDoubleBE(10) }
  const entry = { ...readPublication(key, bytes, 2 + headBytes), stamp }
  if (!isAbsent) return entry
  const absentBytes = bytes.readUInt32BE(2 + STAMP_BYTES)
  if (absentBytes === 0 || entry.payload.length > 0) throw corrupt(key, 'its lengths do not fit')
  return { ...entry, absentBytes }
}
