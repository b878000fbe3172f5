import { GrapevineError } from '../../../src/core/errors.ts'
import type { Clock } from '../../../src/core/ports/clock.ts'
import type {
  CoordinationLease,
  CoordinationOutcome,
  CoordinationStore,
  CoordinationStoreStatus,
  CoordinationTransaction,
  CoordinationTransactionResult,
  CoordinationWatch,
  CoordinationWatcher,
} from '../../../src/core/ports/coordination-store.ts'

const TIMEOUT_MS = 1000

/**
 * `open`: as the store beneath. `cut`: nothing arrives there. `deaf`: requests arrive and are carried out, answers do
 * not come back. `mute`: only the answers to transactions whose comparisons failed come back, the nested ones' too.
 */
export type Contact = 'open' | 'cut' | 'deaf' | 'mute'

/** One node's way to a store, which a test can cut. Calls then fail after a timeout; watches fall silent, and reset later. */
export class CutOffStore implements CoordinationStore {
  #store: CoordinationStore
  readonly #clock: Clock
  readonly #watches = new Map<{ prefix: string; watcher: CoordinationWatcher }, CoordinationWatch>()
  #contact: Contact = 'open'
  /** Transactions sent, for tests that count. */
  transactions = 0
  /** By how much answers of an open store are late; below the timeout. */
  answerDelayMs = 0
  /** How answers and events reach the process. */
  arrive: (task: () => void) => void = task => task()

  constructor(store: CoordinationStore, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** From now on another store answers at the same address; watches are reset. */
  moveTo(store: CoordinationStore): void {
    this.#store = store
    this.setContact(this.#contact)
  }

  setContact(contact: Contact): void {
    this.#contact = contact
    this.silenceWatches()
    if (contact !== 'open') return
    for (const watched of this.#watches.keys()) {
      this.#watches.set(watched, this.#store.watch(watched.prefix, watched.watcher))
    }
  }

  /** Stops the watches, until the contact is set to open. */
  silenceWatches(): void {
    for (const watch of this.#watches.values()) watch.close()
  }

  get(key: string): ReturnType<CoordinationStore['get']> {
    return this.#reach(() => this.#store.get(key))
  }

  range(prefix: string): ReturnType<CoordinationStore['range']> {
    return this.#reach(() => this.#store.range(prefix))
  }

  async transact(transaction: CoordinationTransaction): Promise<CoordinationOutcome> {
    this.transactions++
    const contact = this.#contact
    if (contact === 'mute') {
      const outcome = await this.#store.transact(transaction)
      if (outcome.outcome === 'done' && !hasHeld(outcome.result)) return outcome
      await this.#later(TIMEOUT_MS)
      return { outcome: 'unknown', reason: 'no answer' }
    }
    try {
      return await this.#reach(() => this.#store.transact(transaction))
    } catch {
      return { outcome: contact === 'deaf' ? 'unknown' : 'unavailable', reason: 'cut off' }
    }
  }

  grantLease(ttlMs: number): Promise<CoordinationLease> {
    return this.#reach(() => this.#store.grantLease(ttlMs))
  }

  keepAlive(leaseId: string): Promise<'alive' | 'expired'> {
    return this.#reach(() => this.#store.keepAlive(leaseId))
  }

  revokeLease(leaseId: string): Promise<void> {
    return this.#reach(() => this.#store.revokeLease(leaseId))
  }

  watch(prefix: string, { onEvents, onReset }: CoordinationWatcher): CoordinationWatch {
    let isClosed = false
    const deliver = (call: () => void): void => {
      this.arrive(() => {
        if (!isClosed) call()
      })
    }
    const watcher: CoordinationWatcher = {
      onEvents: (events, revision) => deliver(() => onEvents(events, revision)),
      onReset: (entries, revision) => deliver(() => onReset(entries, revision)),
    }
    const watched = { prefix, watcher }
    const isOpen = this.#contact === 'open'
    this.#watches.set(watched, isOpen ? this.#store.watch(prefix, watcher) : { close: () => {} })
    return {
      close: () => {
        isClosed = true
        this.#watches.get(watched)?.close()
        this.#watches.delete(watched)
      },
    }
  }

  compact(revision: number): Promise<void> {
    return this.#reach(() => this.#store.compact(revision))
  }

  status(): Promise<CoordinationStoreStatus> {
    return this.#reach(() => this.#store.status())
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  async #reach<T>(call: () => Promise<T>): Promise<T> {
    if (this.#contact === 'open') {
      const delayMs = this.answerDelayMs
      const answer = await call()
      if (delayMs > 0) await this.#later(delayMs)
      await new Promise<void>(resolve => this.arrive(resolve))
      return answer
    }
    if (this.#contact === 'deaf') call().catch(() => {})
    await this.#later(TIMEOUT_MS)
    throw new GrapevineError('COORDINATION_UNAVAILABLE', 'cut off')
  }

  #later(ms: number): Promise<void> {
    return new Promise(resolve => {
      this.#clock.schedule(ms, resolve)
    })
  }
}

/** Whether the comparisons held: of any nested transaction where there are some, else of the transaction itself. */
function hasHeld({ succeeded, results }: CoordinationTransactionResult): boolean {
  const nested = results.filter(result => result.type === 'transaction')
  if (nested.length === 0) return succeeded
  return nested.some(({ result }) => result.succeeded)
}
