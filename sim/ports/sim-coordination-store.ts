import { KeyValueState } from '../../coordination/embedded/key-value-state.ts'
import { WatchHub } from '../../coordination/embedded/watch-hub.ts'
import { StoreRefusal } from '../../coordination/store-refusal.ts'
import { GrapevineError } from '../../src/core/errors.ts'
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

/** Time a message takes in either direction between a node and the simulated service. */
const ONE_WAY_MS = 0.5

/**
 * The simulated coordination service: one key space, lease expiry by the virtual clock, one client per node. Faultless:
 * every request arrives, is carried out when it arrives, and its answer comes back, in the order sent.
 */
export class SimCoordinationService {
  readonly #clock: Clock
  #state: KeyValueState
  #watches: WatchHub
  /** What `status` says of its space, for tests that fill it. */
  quotaBytes: number | undefined
  #expiry: Timer | undefined
  #leases = 0

  /** `state`: what it begins with, as after a restore. */
  constructor(clock: Clock, state = new KeyValueState()) {
    this.#clock = clock
    this.#state = state
    this.#watches = new WatchHub(state)
  }

  get state(): KeyValueState {
    return this.#state
  }

  get watches(): WatchHub {
    return this.#watches
  }

  /** Its content is replaced, as by a restore: leases and watches of before are gone. */
  replace(state: KeyValueState): void {
    this.#watches.close()
    this.#state = state
    this.#watches = new WatchHub(state)
    this.settle()
  }

  /** Ends the lease that the first key under `prefix` is bound to, if there is one. */
  revokeLeaseOf(prefix: string): void {
    const [entry] = this.#state.range(prefix)
    if (entry === undefined) return
    this.#state.revokeLease(entry.leaseId)
    this.settle()
  }

  /** What one node holds of the service. */
  connect(): CoordinationStore {
    return new SimCoordinationStore(this, this.#clock)
  }

  grantLease(ttlMs: number): CoordinationLease {
    const leaseId = String(++this.#leases)
    this.state.grantLease(leaseId, ttlMs, this.#clock.now())
    return { leaseId, ttlMs }
  }

  keepAlive(leaseId: string): 'alive' | 'expired' {
    return this.state.keepAlive(leaseId, this.#clock.now()) ? 'alive' : 'expired'
  }

  /** To be called after each request: tells watchers, and sets the timer for the lease that runs out next. */
  settle(): void {
    this.watches.tell(this.state.revision)
    this.#expiry?.cancel()
    const nextMs = this.state.nextExpiryMs
    if (nextMs === undefined) return
    this.#expiry = this.#clock.schedule(Math.max(0, nextMs - this.#clock.now()), () => {
      this.state.expireLeases(this.#clock.now())
      this.settle()
    })
  }
}

/** A node's client of the simulated service: each call takes one way there and one way back. */
class SimCoordinationStore implements CoordinationStore {
  readonly #service: SimCoordinationService
  readonly #clock: Clock
  readonly #watches = new Set<CoordinationWatch>()
  /** Ends the calls under way when the client closes. */
  readonly #underWay = new Set<() => void>()
  #closed = false

  constructor(service: SimCoordinationService, clock: Clock) {
    this.#service = service
    this.#clock = clock
  }

  get(key: string): Promise<{ entry: CoordinationEntry | undefined; revision: number }> {
    const { state } = this.#service
    return this.#ask(() => ({ entry: state.get(key), revision: state.revision }))
  }

  range(prefix: string): Promise<{ entries: readonly CoordinationEntry[]; revision: number }> {
    const { state } = this.#service
    return this.#ask(() => ({ entries: state.range(prefix), revision: state.revision }))
  }

  transact(transaction: CoordinationTransaction): Promise<CoordinationOutcome> {
    if (this.#closed)
      return Promise.resolve({ outcome: 'unavailable', reason: 'the coordination store is closed' })
    return this.#ask((): CoordinationOutcome => {
      const result = this.#service.state.transact(transaction)
      return 'refused' in result
        ? { outcome: 'unavailable', reason: result.refused, isRefusal: true }
        : { outcome: 'done', result }
    }).catch(() => ({ outcome: 'unknown', reason: 'the coordination store was closed' }))
  }

  grantLease(ttlMs: number): Promise<CoordinationLease> {
    return this.#ask(() => this.#service.grantLease(ttlMs))
  }

  keepAlive(leaseId: string): Promise<'alive' | 'expired'> {
    return this.#ask(() => this.#service.keepAlive(leaseId))
  }

  revokeLease(leaseId: string): Promise<void> {
    return this.#ask(() => this.#service.state.revokeLease(leaseId))
  }

  watch(prefix: string, watcher: CoordinationWatcher): CoordinationWatch {
    let closed = this.#closed
    const deliver = (call: () => void): void => {
      this.#clock.schedule(ONE_WAY_MS, () => {
        if (!closed) call()
      })
    }
    const started: CoordinationWatch[] = []
    this.#clock.schedule(ONE_WAY_MS, () => {
      if (closed) return
      const there = this.#service.watches.add(prefix, {
        onEvents: (events, revision) => deliver(() => watcher.onEvents(events, revision)),
        onReset: (entries, revision) => deliver(() => watcher.onReset(entries, revision)),
      })
      started.push(there)
      there.start()
    })
    const watch = {
      close: () => {
        closed = true
        for (const there of started) there.close()
        this.#watches.delete(watch)
      },
    }
    this.#watches.add(watch)
    return watch
  }

  async compact(revision: number): Promise<void> {
    const refused = await this.#ask(() => this.#service.state.compact(revision))
    if (refused !== undefined) throw new StoreRefusal(refused.refused)
  }

  status(): Promise<CoordinationStoreStatus> {
    return this.#ask(() => {
      const { sizeBytes } = this.#service.state
      const { quotaBytes } = this.#service
      return { sizeBytes, sizeInUseBytes: sizeBytes, quotaBytes, alarm: undefined, version: 'simulated' }
    })
  }

  close(): Promise<void> {
    this.#closed = true
    for (const watch of [...this.#watches]) watch.close()
    for (const end of [...this.#underWay]) end()
    return Promise.resolve()
  }

  #ask<T>(carryOut: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(closedError())
        return
      }
      const end = (): void => {
        this.#underWay.delete(end)
        reject(closedError())
      }
      this.#underWay.add(end)
      this.#clock.schedule(ONE_WAY_MS, () => {
        const answer = carryOut()
        this.#service.settle()
        this.#clock.schedule(ONE_WAY_MS, () => {
          this.#underWay.delete(end)
          resolve(answer)
        })
      })
    })
  }
}

function closedError(): GrapevineError {
  return new GrapevineError('COORDINATION_CLOSED', 'the coordination store was closed; this node is stopping')
}
