/**
 * One term of office: the only way in which a leader writes.
 *
 * Invariant: every write is fenced: it compares the revision of the leader key, so that nothing a deposed leader still has
 * on its way is carried out. Once the term is over every duty that asks stops.
 */
import { GrapevineError } from '../src/core/errors.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type {
  CoordinationCompare,
  CoordinationOperation,
  CoordinationStore,
  CoordinationTransactionResult,
} from '../src/core/ports/coordination-store.ts'
import { pause } from './backoff.ts'
import type { CoordinationKeys } from './keys.ts'
import { isAtRevision, resultOf } from './store-calls.ts'

interface TermContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly keys: CoordinationKeys
}

/** Thrown by whatever a duty awaits when its term has ended. */
export class TermOver extends Error {}

export class LeaderTerm {
  readonly number: number
  readonly #context: TermContext
  #isOver = false

  constructor(context: TermContext, number: number) {
    this.#context = context
    this.number = number
  }

  get isOver(): boolean {
    return this.#isOver
  }

  end(): void {
    this.#isOver = true
  }

  /**
   * A fenced transaction. Undefined: one of `compare` did not hold, nothing was written. Throws TermOver, or
   * COORDINATION_UNAVAILABLE when it may or may not have been carried out: then read back before repeating.
   */
  async write(
    compare: readonly CoordinationCompare[],
    success: readonly CoordinationOperation[],
  ): Promise<CoordinationTransactionResult | undefined> {
    const { store, keys } = this.#context
    this.#check()
    const result = resultOf(
      await store.transact({
        compare: [isAtRevision(keys.leader, this.number), ...compare],
        success,
        failure: [{ type: 'get', key: keys.leader }],
      }),
    )
    if (result.succeeded) {
      this.#check()
      return result
    }
    const [found] = result.results
    if (found?.type === 'get' && found.entry?.modRevision !== this.number) this.#isOver = true
    this.#check()
    return undefined
  }

  /** The answer of a read, if the term is not over by then. */
  async read<T>(answer: Promise<T>): Promise<T> {
    const value = await answer
    this.#check()
    return value
  }

  /** Throws TermOver when the term ends meanwhile. */
  async pause(ms: number): Promise<void> {
    this.#check()
    await pause(this.#context.clock, ms)
    this.#check()
  }

  #check(): void {
    if (this.#isOver) throw new TermOver('the term is over')
  }
}

/** Whether a duty should try again later. */
export function isTransient(error: unknown): boolean {
  return error instanceof GrapevineError && error.code === 'COORDINATION_UNAVAILABLE'
}
