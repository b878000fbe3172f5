import { errorMessage, GrapevineError } from '../../src/core/errors.ts'
import type { Clock, Timer } from '../../src/core/ports/clock.ts'
import type {
  CoordinationEntry,
  CoordinationLease,
  CoordinationOutcome,
  CoordinationStore,
  CoordinationStoreStatus,
  CoordinationTransaction,
  CoordinationWatch,
  CoordinationWatcher,
} from '../../src/core/ports/coordination-store.ts'
import type { Random } from '../../src/core/ports/random.ts'
import type { Store } from '../../src/core/ports/store.ts'
import { StoreRefusal } from '../store-refusal.ts'
import { CommitQueue, type CommitFailure } from './commit-queue.ts'
import { DiskImage } from './disk-image.ts'
import { KeyValueState } from './key-value-state.ts'
import { WatchHub } from './watch-hub.ts'

/** What an embedded store needs. It appends under `coordination/` and never closes `store`, which others may share. */
export interface EmbeddedCoordinationOptions {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  /** A call whose commit takes longer settles as unknown or unavailable. Default 3000. */
  readonly timeoutMs?: number
}

/**
 * The coordination store of nodes that share one process: `KeyValueState` made durable through a `Store`.
 *
 * Invariant: nothing is observable before it is committed: neither by an outcome, nor by a read, nor by a watch. Keys and
 * values survive a restart, and revisions go on rising. Leases do not survive it, nor do keys bound to one, nor volatile ones,
 * which are never written to disk: the processes they tell of are gone when the store opens again.
 */
export class EmbeddedCoordinationStore implements CoordinationStore {
  readonly #store: Store
  readonly #clock: Clock
  readonly #random: Random
  readonly #state: KeyValueState
  readonly #disk: DiskImage
  readonly #watches: WatchHub
  readonly #commits: CommitQueue
  /** Sequence of the last batch appended here, and the revisions of the batches not committed yet. */
  #appended = 0
  readonly #uncommitted: { sequence: number; revision: number }[] = []
  /** Up to which the disk image has followed the state. */
  #followedRevision: number
  #expiry: Timer | undefined
  #fault: string | undefined
  #closed = false

  /** Reads the state back. Throws STORE_CORRUPT when an entry is not as it was written. */
  static async open(options: EmbeddedCoordinationOptions): Promise<EmbeddedCoordinationStore> {
    return new EmbeddedCoordinationStore(options, await DiskImage.read(options.store))
  }

  private constructor(options: EmbeddedCoordinationOptions, disk: DiskImage) {
    this.#store = options.store
    this.#clock = options.clock
    this.#random = options.random
    this.#disk = disk
    this.#state = new KeyValueState(disk.entries, disk.nextRevision)
    this.#followedRevision = this.#state.revision
    this.#watches = new WatchHub(this.#state)
    this.#commits = new CommitQueue(options.clock, options.timeoutMs ?? 3000)
    options.store.onCommitted(upTo => this.#onCommitted(upTo))
    options.store.onFailed(error => this.#onFailed(`the local store failed: ${error.message}`))
  }

  async get(key: string): Promise<{ entry: CoordinationEntry | undefined; revision: number }> {
    this.#assertServing()
    const answer = { entry: this.#state.get(key), revision: this.#state.revision }
    await this.#untilCommitted()
    return answer
  }

  async range(prefix: string): Promise<{ entries: readonly CoordinationEntry[]; revision: number }> {
    this.#assertServing()
    const answer = { entries: this.#state.range(prefix), revision: this.#state.revision }
    await this.#untilCommitted()
    return answer
  }

  transact(transaction: CoordinationTransaction): Promise<CoordinationOutcome> {
    const fault = this.#closed ? 'the coordination store is closed' : this.#fault
    if (fault !== undefined) return Promise.resolve({ outcome: 'unavailable', reason: fault })
    const result = this.#state.transact(transaction)
    if ('refused' in result)
      return Promise.resolve({ outcome: 'unavailable', reason: result.refused, isRefusal: true })
    this.#persist()
    return new Promise(resolve => {
      this.#whenCommitted(failure => {
        if (failure === undefined) resolve({ outcome: 'done', result })
        else resolve({ outcome: 'unknown', reason: failureText(failure) })
      })
    })
  }

  async grantLease(ttlMs: number): Promise<CoordinationLease> {
    this.#assertServing()
    const leaseId = this.#newLeaseId()
    this.#state.grantLease(leaseId, ttlMs, this.#clock.now())
    this.#armExpiry()
    return { leaseId, ttlMs }
  }

  async keepAlive(leaseId: string): Promise<'alive' | 'expired'> {
    this.#assertServing()
    const alive = this.#state.keepAlive(leaseId, this.#clock.now())
    this.#armExpiry()
    if (alive) return 'alive'
    await this.#untilCommitted()
    return 'expired'
  }

  async revokeLease(leaseId: string): Promise<void> {
    this.#assertServing()
    this.#state.revokeLease(leaseId)
    this.#persist()
    this.#armExpiry()
    await this.#untilCommitted()
  }

  watch(prefix: string, watcher: CoordinationWatcher): CoordinationWatch {
    if (this.#closed) return { close: () => {} }
    const watch = this.#watches.add(prefix, watcher)
    this.#startWhenCommitted(watch)
    return { close: () => watch.close() }
  }

  async compact(revision: number): Promise<void> {
    this.#assertServing()
    // Watches are told of a commit before this goes on, so none needs what is forgotten and not yet committed.
    await this.#untilCommitted()
    const refused = this.#state.compact(revision)
    if (refused !== undefined) throw new StoreRefusal(refused.refused)
  }

  async status(): Promise<CoordinationStoreStatus> {
    if (this.#closed) throw closedError()
    const { sizeBytes } = this.#state
    return {
      sizeBytes,
      sizeInUseBytes: sizeBytes,
      quotaBytes: undefined,
      alarm: this.#fault,
      version: 'embedded',
    }
  }

  close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true
      this.#expiry?.cancel()
      this.#watches.close()
      this.#commits.fail('closed')
    }
    return Promise.resolve()
  }

  #newLeaseId(): string {
    return `${(this.#random.uint32() & 0x7fffffff) + 1}${String(this.#random.uint32()).padStart(10, '0')}`
  }

  /** Appends what has to be on disk of what the state has written since the last call. */
  #persist(): void {
    const revision = this.#state.revision
    if (revision === this.#followedRevision) return
    const changes = this.#state.changesBetween(this.#followedRevision, revision) ?? []
    this.#followedRevision = revision
    const batch = this.#disk.follow(changes, revision)
    if (batch.length > 0) {
      try {
        this.#appended = this.#store.append(batch)
      } catch (error) {
        this.#onFailed(`the local store takes no writes: ${errorMessage(error)}`)
        return
      }
    } else if (this.#uncommitted.length === 0) {
      void Promise.resolve().then(() => this.#tell(revision))
      return
    }
    this.#uncommitted.push({ sequence: this.#appended, revision })
  }

  /** Runs `settle` in a later turn, once all that was appended before this call is committed. */
  #whenCommitted(settle: (failure: CommitFailure | undefined) => void): void {
    if (this.#fault !== undefined) {
      void Promise.resolve().then(() => settle('failed'))
    } else if (this.#uncommitted.length === 0) {
      void Promise.resolve().then(() => settle(undefined))
    } else {
      this.#commits.wait(this.#appended, settle)
    }
  }

  /** A watch has no deadline: its first state is as late as the commit is. */
  #startWhenCommitted(watch: { start(): void }): void {
    this.#whenCommitted(failure => {
      if (failure === undefined) watch.start()
      else if (failure === 'late') this.#startWhenCommitted(watch)
    })
  }

  #untilCommitted(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#whenCommitted(failure => {
        if (failure === undefined) resolve()
        else if (failure === 'closed') reject(closedError())
        else reject(new GrapevineError('COORDINATION_UNAVAILABLE', failureText(failure)))
      })
    })
  }

  #onCommitted(upTo: number): void {
    let revision: number | undefined
    while (this.#uncommitted[0] !== undefined && this.#uncommitted[0].sequence <= upTo) {
      revision = this.#uncommitted.shift()?.revision
    }
    this.#commits.committed(upTo)
    if (revision !== undefined) this.#tell(revision)
  }

  /** What every watch has been told nobody asks for again, and kept it would cost more than all that is in the store. */
  #tell(revision: number): void {
    this.#watches.tell(revision)
    this.#state.compact(revision)
  }

  #onFailed(fault: string): void {
    if (this.#fault !== undefined) return
    this.#fault = fault
    this.#expiry?.cancel()
    this.#commits.fail('failed')
  }

  /** One timer for the lease that runs out next. */
  #armExpiry(): void {
    this.#expiry?.cancel()
    const nextMs = this.#state.nextExpiryMs
    if (nextMs === undefined || this.#closed || this.#fault !== undefined) return
    this.#expiry = this.#clock.schedule(Math.max(0, nextMs - this.#clock.now()), () => {
      this.#state.expireLeases(this.#clock.now())
      this.#persist()
      this.#armExpiry()
    })
  }

  #assertServing(): void {
    if (this.#closed) throw closedError()
    if (this.#fault !== undefined) throw new GrapevineError('COORDINATION_UNAVAILABLE', this.#fault)
  }
}

function closedError(): GrapevineError {
  return new GrapevineError('COORDINATION_CLOSED', 'the coordination store was closed; this node is stopping')
}

function failureText(failure: CommitFailure): string {
  switch (failure) {
    case 'late':
      return 'the local store did not commit in time'
    case 'failed':
      return 'the local store failed'
    case 'closed':
      return 'the coordination store was closed before the write was committed'
  }
}
