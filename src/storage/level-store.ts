import { resolve } from 'node:path'
import { errorMessage, GrapevineError } from '../core/errors.ts'
import type { Clock, Timer } from '../core/ports/clock.ts'
import type { Store, StoreOperation } from '../core/ports/store.ts'
import { CommitProgress } from './commit-progress.ts'
import { levelReadError, openLevel, type LevelDatabase } from './level-database.ts'

/**
 * When a batch counts as committed.
 * - `always`: when it is on the disk (fsync). Survives power loss.
 * - `batch`: when the operating system has it, so it survives a crash of the process; an fsync follows within
 *   `syncIntervalMs`. A power loss may cost the last `syncIntervalMs` and the time the fsync takes.
 * - `never`: as `batch`, but when it reaches the disk is left to the operating system.
 */
export type SyncMode = 'always' | 'batch' | 'never'

interface LevelStoreOptions {
  /** Directory of its own, created when missing. One process at a time can have it open. */
  readonly dir: string
  readonly sync: SyncMode
  /** Longest time written data waits for its fsync in mode `batch`, ms, > 0; unused in the others. */
  readonly syncIntervalMs: number
  readonly clock: Clock
}

interface Group {
  /** The last operation of each key, which is all that counts of a group that is written as one. */
  readonly operations: Map<string, StoreOperation>
  /** Sequence of the last batch in it. */
  upTo: number
}

/** Deleting a key nobody writes is the smallest write LevelDB can fsync; readers never see it. */
const SYNC_KEY = '\0sync'

/** Bytes an iterator reads ahead. */
const READ_AHEAD_BYTES = 256 * 1024

/**
 * A `Store` in LevelDB.
 *
 * Group commit: one write is under way at a time; what is appended meanwhile gathers into the next. LevelDB writes a group
 * to its log wholly or not at all and in order, which is what `Store` promises. So within a group only the last operation
 * of a key is written, and what came and went within one group is not written at all.
 *
 * Known limit: an fsync of LevelDB covers only the current log file. After a power loss in mode `batch` or `never`, the log
 * before it can be incomplete if its table file was not finished yet; `open` then reports STORE_CORRUPT.
 */
export class LevelStore implements Store {
  readonly #database: LevelDatabase
  readonly #dir: string
  readonly #mode: SyncMode
  readonly #syncIntervalMs: number
  readonly #clock: Clock
  readonly #progress = new CommitProgress()
  #gathering: Group | undefined
  #isWriting = false
  /** Mode `batch`: set while written data waits for its fsync. */
  #syncTimer: Timer | undefined
  #isSyncDue = false
  #closed: Promise<void> | undefined

  private constructor(database: LevelDatabase, { dir, sync, syncIntervalMs, clock }: LevelStoreOptions) {
    this.#database = database
    this.#dir = resolve(dir)
    this.#mode = sync
    this.#syncIntervalMs = syncIntervalMs
    this.#clock = clock
  }

  /** Opens or creates it. Throws `GrapevineError` DATA_DIR_LOCKED, DATA_DIR_UNWRITABLE or STORE_CORRUPT. */
  static async open(options: LevelStoreOptions): Promise<LevelStore> {
    return new LevelStore(await openLevel(resolve(options.dir)), options)
  }

  get appended(): number {
    return this.#progress.appended
  }

  get committed(): number {
    return this.#progress.committed
  }

  onCommitted(listener: (upTo: number) => void): void {
    this.#progress.onCommitted(listener)
  }

  onFailed(listener: (error: Error) => void): void {
    this.#progress.onFailed(listener)
  }

  append(batch: readonly StoreOperation[]): number {
    const sequence = this.#progress.append(batch.length)
    const group = this.#gather()
    for (const operation of batch) gatherOperation(group.operations, operation)
    group.upTo = sequence
    return sequence
  }

  #gather(): Group {
    if (this.#gathering !== undefined) return this.#gathering
    const group: Group = { operations: new Map(), upTo: this.#progress.appended }
    this.#gathering = group
    // Later in the turn, so that everything this turn appends is one write.
    if (!this.#isWriting) this.#clock.defer(() => void this.#writeGroups())
    return group
  }

  /** Writes until nothing is gathered. A throwing listener rejects it, which stops the process: a broken invariant. */
  async #writeGroups(): Promise<void> {
    if (this.#isWriting) return
    this.#isWriting = true
    for (let group = this.#take(); group !== undefined; group = this.#take()) {
      if (group.operations.size > 0 || this.#isSyncDue) {
        const sync = this.#mode === 'always' || this.#isSyncDue
        if (sync) this.#cancelSync()
        try {
          await this.#write(group.operations, sync)
        } catch (error) {
          this.#fail(error)
          break
        }
        if (!sync && this.#mode === 'batch') this.#startSyncTimer()
      }
      if (group.upTo > this.#progress.committed) this.#progress.commit(group.upTo)
    }
    this.#isWriting = false
  }

  async #write(operations: ReadonlyMap<string, StoreOperation>, sync: boolean): Promise<void> {
    const batch = this.#database.batch()
    for (const operation of operations.values()) {
      if (operation.type === 'put') batch.put(operation.key, operation.value)
      else batch.del(operation.key)
    }
    // LevelDB syncs only when it writes.
    if (operations.size === 0) batch.del(SYNC_KEY)
    await batch.write({ sync })
  }

  #take(): Group | undefined {
    const group = this.#gathering
    this.#gathering = undefined
    return group
  }

  #startSyncTimer(): void {
    this.#syncTimer ??= this.#clock.schedule(this.#syncIntervalMs, () => {
      this.#isSyncDue = true
      void this.#sync()
    })
  }

  #cancelSync(): void {
    this.#syncTimer?.cancel()
    this.#syncTimer = undefined
    this.#isSyncDue = false
  }

  /** Makes sure that a write with fsync happens: the group that is gathering, or one of its own. */
  #sync(): Promise<void> {
    this.#gathering ??= { operations: new Map(), upTo: this.#progress.appended }
    return this.#writeGroups()
  }

  #fail(error: unknown): void {
    this.#cancelSync()
    this.#gathering = undefined
    this.#progress.fail(
      new GrapevineError(
        'STORE_FAILED',
        `writing to the store in ${this.#dir} failed (${errorMessage(error)}); nothing is stored any more: ` +
          'check free space and the health of the disk, then restart',
        { cause: error },
      ),
    )
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    this.#progress.assertOpen()
    try {
      return await this.#database.get(key)
    } catch (error) {
      throw levelReadError(this.#dir, error)
    }
  }

  async *range(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]> {
    this.#progress.assertOpen()
    const iterator = this.#database.iterator({ gte: prefix, highWaterMarkBytes: READ_AHEAD_BYTES })
    try {
      for (;;) {
        const entry = await iterator.next().catch((error: unknown) => {
          throw levelReadError(this.#dir, error)
        })
        if (entry === undefined || !entry[0].startsWith(prefix)) return
        yield entry
      }
    } finally {
      await iterator.close()
    }
  }

  flush(): Promise<void> {
    return this.#progress.flush()
  }

  /** Resolves even when the store failed before: `onFailed` told of it. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#progress.close()
    await this.#progress.flush().catch(() => undefined)
    if (this.#syncTimer !== undefined && !this.#progress.hasFailed) {
      this.#isSyncDue = true
      await this.#sync()
    }
    await this.#database.close()
  }
}

/** Adds the next operation in order. */
function gatherOperation(operations: Map<string, StoreOperation>, next: StoreOperation): void {
  const { key } = next
  const earlier = operations.get(key)
  if (earlier === undefined) {
    operations.set(key, next)
    return
  }
  const isNew = earlier.type === 'put' && earlier.isNew === true
  if (next.type === 'del' && isNew) {
    operations.delete(key)
  } else if (next.type === 'put' && (next.isNew === true) !== isNew) {
    // Whether the key holds anything before this group does not change within it.
    operations.set(key, { ...next, isNew })
  } else {
    operations.set(key, next)
  }
}
