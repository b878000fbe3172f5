import { errorMessage, GrapevineError } from '../src/core/errors.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type {
  CoordinationLease,
  CoordinationOutcome,
  CoordinationStore,
  CoordinationStoreStatus,
  CoordinationTransaction,
  CoordinationWatch,
  CoordinationWatcher,
} from '../src/core/ports/coordination-store.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { Random } from '../src/core/ports/random.ts'
import { StandingRefusal } from './standing-refusal.ts'
import { StoreBreaker } from './store-breaker.ts'
import { StoreRefusal } from './store-refusal.ts'
import { StoreStats, type StoreCall } from './store-stats.ts'

export interface StoreGuardPorts {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/**
 * A coordination store as another one, measured, and with a circuit breaker before its reads and writes: after repeated
 * failures they fail at once as unavailable until the store works again. Lease calls, watches and `status` always pass:
 * they keep the node alive, and that they get through is the sign to try again. A store that refuses is one that works;
 * when it refuses everything a node needs, `refusal` knows and says so.
 *
 * It never repeats a call, never changes an answer, and closes the store beneath with itself.
 */
export class StoreGuard implements CoordinationStore {
  readonly stats: StoreStats
  readonly breaker: StoreBreaker
  /** Closed with this store; to be closed alone when the store beneath is another's. */
  readonly refusal: StandingRefusal
  readonly #store: CoordinationStore
  readonly #clock: Clock

  /** `sessionsPrefix`: what keys of session records begin with, to account for them. */
  constructor(store: CoordinationStore, ports: StoreGuardPorts, sessionsPrefix: string) {
    this.#store = store
    this.#clock = ports.clock
    this.stats = new StoreStats(sessionsPrefix)
    this.breaker = new StoreBreaker(ports)
    this.refusal = new StandingRefusal(ports, () => this.transact(writeThatNeverHappens(sessionsPrefix)))
  }

  get(key: string): ReturnType<CoordinationStore['get']> {
    return this.#guarded('get', () => this.#store.get(key))
  }

  range(prefix: string): ReturnType<CoordinationStore['range']> {
    return this.#guarded('range', () => this.#store.range(prefix))
  }

  async transact(transaction: CoordinationTransaction): Promise<CoordinationOutcome> {
    const reason = this.breaker.refusal()
    if (reason !== undefined) {
      this.stats.failures.held++
      return { outcome: 'unavailable', reason }
    }
    const outcome = await this.#measured('transact', () => this.#store.transact(transaction))
    if (outcome.outcome === 'done') {
      this.stats.written(transaction, outcome.result)
      this.breaker.succeeded()
    } else if (outcome.isRefusal === true) {
      this.stats.failures.refused++
      this.breaker.succeeded()
    } else {
      this.stats.failures[outcome.outcome]++
      this.breaker.failed(outcome.reason)
    }
    if (outcome.outcome !== 'done' && outcome.isStanding === true) this.refusal.met(outcome.reason)
    return outcome
  }

  grantLease(ttlMs: number): Promise<CoordinationLease> {
    return this.#passed('grantLease', () => this.#store.grantLease(ttlMs))
  }

  keepAlive(leaseId: string): Promise<'alive' | 'expired'> {
    return this.#passed('keepAlive', () => this.#store.keepAlive(leaseId))
  }

  revokeLease(leaseId: string): Promise<void> {
    return this.#passed('revokeLease', () => this.#store.revokeLease(leaseId))
  }

  watch(prefix: string, watcher: CoordinationWatcher): CoordinationWatch {
    let isFirst = true
    return this.#store.watch(prefix, {
      onEvents: (events, revision) => watcher.onEvents(events, revision),
      onReset: (entries, revision) => {
        if (!isFirst) this.stats.watchResets++
        isFirst = false
        watcher.onReset(entries, revision)
      },
    })
  }

  compact(revision: number): Promise<void> {
    return this.#guarded('compact', () => this.#store.compact(revision))
  }

  /** Answered by one member of etcd from what it has, so it tells nothing about the others: the breaker is not told. */
  async status(): Promise<CoordinationStoreStatus> {
    try {
      return await this.#measured('status', () => this.#store.status())
    } catch (error) {
      this.stats.failures.unavailable++
      throw error
    }
  }

  close(): Promise<void> {
    this.refusal.close()
    return this.#store.close()
  }

  async #guarded<T>(call: StoreCall, run: () => Promise<T>): Promise<T> {
    const reason = this.breaker.refusal()
    if (reason !== undefined) {
      this.stats.failures.held++
      throw new GrapevineError('COORDINATION_UNAVAILABLE', reason)
    }
    try {
      const answer = await this.#measured(call, run)
      this.breaker.succeeded()
      return answer
    } catch (error) {
      if (this.#isFailure(call, error)) this.breaker.failed(errorMessage(error))
      else this.breaker.succeeded()
      throw error
    }
  }

  async #passed<T>(call: StoreCall, run: () => Promise<T>): Promise<T> {
    try {
      const answer = await this.#measured(call, run)
      this.breaker.reached()
      return answer
    } catch (error) {
      if (this.#isFailure(call, error)) this.breaker.missed(errorMessage(error))
      else this.breaker.reached()
      throw error
    }
  }

  /** Counts why a call was rejected; a refusal is an answer, and that the store was closed says nothing about it. */
  #isFailure(call: StoreCall, error: unknown): boolean {
    if (error instanceof GrapevineError && error.code === 'COORDINATION_CLOSED') return false
    const isRefusal = error instanceof StoreRefusal
    // A user that may not compact may do all that clients need.
    if (isRefusal && error.isStanding && call !== 'compact') this.refusal.met(error.message)
    this.stats.failures[isRefusal ? 'refused' : 'unavailable']++
    return !isRefusal
  }

  async #measured<T>(call: StoreCall, run: () => Promise<T>): Promise<T> {
    const startMs = this.#clock.now()
    try {
      return await run()
    } finally {
      this.stats.latency[call].add(this.#clock.now() - startMs)
    }
  }
}

/** Refused by a store that refuses writes, though its comparison never holds. */
function writeThatNeverHappens(key: string): CoordinationTransaction {
  return {
    compare: [{ key, target: 'createRevision', is: 'less', revision: 0 }],
    success: [{ type: 'put', key, value: new Uint8Array() }],
    failure: [],
  }
}
