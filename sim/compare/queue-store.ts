import type {
  CoordinationOutcome,
  CoordinationStore,
  CoordinationTransaction,
} from '../../src/core/ports/coordination-store.ts'
import type { VirtualClock } from '../ports/virtual-clock.ts'

/** What a transaction keeps the store busy for, ms: once, and per nested transaction. */
export interface ServiceTime {
  readonly baseMs: number
  readonly nestedMs: number
}

/**
 * A store that takes one transaction after another, each for as long as measured ones take, and carries all of them out. Claims
 * know only how long it takes; what it would hold is nobody's business here.
 */
export class QueueStore implements Pick<CoordinationStore, 'transact'> {
  transactions = 0
  readonly #clock: VirtualClock
  readonly #service: ServiceTime
  #freeAtMs = 0

  constructor(clock: VirtualClock, service: ServiceTime) {
    this.#clock = clock
    this.#service = service
  }

  transact({ success }: CoordinationTransaction): Promise<CoordinationOutcome> {
    this.transactions++
    const { baseMs, nestedMs } = this.#service
    const nowMs = this.#clock.now()
    this.#freeAtMs = Math.max(nowMs, this.#freeAtMs) + baseMs + nestedMs * success.length
    const nested = { type: 'transaction', result: { succeeded: true, revision: 1, results: [] } } as const
    const result = { succeeded: true, revision: 1, results: success.map(() => nested) }
    return new Promise(resolve => {
      this.#clock.schedule(this.#freeAtMs - nowMs, () => resolve({ outcome: 'done', result }))
    })
  }
}
