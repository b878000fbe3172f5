import type { CoordinationEntry } from '../../src/core/ports/coordination-store.ts'
import type { Store, StoreOperation } from '../../src/core/ports/store.ts'
import type { RevisionEvents } from './event-history.ts'
import { corrupt, decodeEntry, decodeRevision, encodeEntry, encodeRevision } from './persisted-entry.ts'

/** No revision above the one that it holds was ever given to anything. */
const REVISION_KEY = 'coordination/revision'
const ENTRY_PREFIX = 'coordination/key/'
/** Taken in advance, so that writes of which the disk need not know do not have to tell it how far they have come. */
const REVISIONS_AHEAD = 100_000

/**
 * What a restart would find: the keys that are on disk, and a revision above all that were given to keys, on disk or not.
 *
 * Keys bound to a lease and volatile ones are never there: they end with the process. It names what has to be written; its owner
 * writes that, all of it and in order. Invariant: when it has been, no revision can be given a second time after a restart.
 */
export class DiskImage {
  /** As it was read. */
  readonly entries: readonly CoordinationEntry[]
  readonly #keys: Set<string>
  #revisionsUpTo: number

  /** Throws STORE_CORRUPT when something is not as it was written. */
  static async read(store: Store): Promise<DiskImage> {
    const stored = await store.get(REVISION_KEY)
    const entries: CoordinationEntry[] = []
    for await (const [storeKey, value] of store.range(ENTRY_PREFIX)) {
      entries.push(decodeEntry(storeKey, storeKey.slice(ENTRY_PREFIX.length), value))
    }
    if (stored === undefined && entries.length > 0) throw corrupt(REVISION_KEY)
    const revision = stored === undefined ? 0 : decodeRevision(REVISION_KEY, stored)
    for (const entry of entries) if (entry.modRevision > revision) throw corrupt(ENTRY_PREFIX + entry.key)
    return new DiskImage(entries, revision)
  }

  private constructor(entries: readonly CoordinationEntry[], revision: number) {
    this.entries = entries
    this.#keys = new Set(entries.map(({ key }) => key))
    this.#revisionsUpTo = revision
  }

  /** The lowest that no key can have had: what was not on disk has gone in it. */
  get nextRevision(): number {
    return this.#revisionsUpTo + 1
  }

  /** What has to be written for the next changes of the state, up to `revision`: often nothing. */
  follow(changes: readonly RevisionEvents[], revision: number): StoreOperation[] {
    const operations: StoreOperation[] = []
    for (const { events } of changes) {
      for (const event of events) {
        const key = event.type === 'put' ? event.entry.key : event.key
        if (event.type === 'put' && event.entry.leaseId === '0' && event.isVolatile !== true) {
          this.#keys.add(key)
          operations.push({ type: 'put', key: ENTRY_PREFIX + key, value: encodeEntry(event.entry) })
        } else if (this.#keys.delete(key)) {
          operations.push({ type: 'del', key: ENTRY_PREFIX + key })
        }
      }
    }
    if (revision > this.#revisionsUpTo) {
      this.#revisionsUpTo = revision + REVISIONS_AHEAD
      operations.push({ type: 'put', key: REVISION_KEY, value: encodeRevision(this.#revisionsUpTo) })
    }
    return operations
  }
}
