/**
 * A coordination store whose revisions are watched: one that answers with a lower revision than it had when it was asked
 * has been restored or emptied, since revisions of one store only rise.
 *
 * It changes no call and no answer. Invariant: the listener hears of a fall before the caller gets the answer that shows it.
 */
import type {
  CoordinationLease,
  CoordinationOutcome,
  CoordinationStore,
  CoordinationStoreStatus,
  CoordinationTransaction,
  CoordinationWatch,
  CoordinationWatcher,
} from '../src/core/ports/coordination-store.ts'

export class ObservedStore implements CoordinationStore {
  readonly #store: CoordinationStore
  readonly #onRegressed: () => void
  #revision = 0
  /** Calls begun before a fall say nothing about the store after it. */
  #falls = 0

  constructor(store: CoordinationStore, onRegressed: () => void) {
    this.#store = store
    this.#onRegressed = onRegressed
  }

  /** The highest seen since the last fall. */
  get revision(): number {
    return this.#revision
  }

  get(key: string): ReturnType<CoordinationStore['get']> {
    return this.#observe(this.#store.get(key))
  }

  range(prefix: string): ReturnType<CoordinationStore['range']> {
    return this.#observe(this.#store.range(prefix))
  }

  async transact(transaction: CoordinationTransaction): Promise<CoordinationOutcome> {
    const before = this.#revision
    const falls = this.#falls
    const outcome = await this.#store.transact(transaction)
    if (outcome.outcome === 'done') this.#note(outcome.result.revision, before, falls)
    return outcome
  }

  grantLease(ttlMs: number): Promise<CoordinationLease> {
    return this.#store.grantLease(ttlMs)
  }

  keepAlive(leaseId: string): Promise<'alive' | 'expired'> {
    return this.#store.keepAlive(leaseId)
  }

  revokeLease(leaseId: string): Promise<void> {
    return this.#store.revokeLease(leaseId)
  }

  /** Watches may lag behind the calls, so they are only looked at for what is new. */
  watch(prefix: string, watcher: CoordinationWatcher): CoordinationWatch {
    return this.#store.watch(prefix, watcher)
  }

  compact(revision: number): Promise<void> {
    return this.#store.compact(revision)
  }

  status(): Promise<CoordinationStoreStatus> {
    return this.#store.status()
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  async #observe<T extends { readonly revision: number }>(call: Promise<T>): Promise<T> {
    const before = this.#revision
    const falls = this.#falls
    const answer = await call
    this.#note(answer.revision, before, falls)
    return answer
  }

  #note(revision: number, before: number, falls: number): void {
    if (falls !== this.#falls) return
    if (revision >= before) {
      this.#revision = Math.max(this.#revision, revision)
      return
    }
    this.#falls++
    this.#revision = revision
    this.#onRegressed()
  }
}
