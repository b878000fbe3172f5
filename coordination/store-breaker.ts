import type { Clock } from '../src/core/ports/clock.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { Random } from '../src/core/ports/random.ts'
import { Backoff } from './backoff.ts'

/** Failures in a row that open it. */
const FAILURES_TO_OPEN = 5
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 4000

/** `closed`: calls pass. `open`: none does. `half-open`: one is under way, to see whether the store works again. */
export type BreakerState = 'closed' | 'open' | 'half-open'

/**
 * Decides whether calls to a store that keeps failing are worth making, so that they fail at once instead of piling up
 * behind their deadlines. It calls nothing itself.
 *
 * Invariant: while it is not closed at most one call it has let through is under way. Any call that succeeds closes it;
 * news that the store was reached some other way ends the pause, so that the next call is let through.
 */
export class StoreBreaker {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #backoff: Backoff
  #state: BreakerState = 'closed'
  #failures = 0
  #retryAtMs = 0
  #lastReason = ''
  /** Times it opened from closed. */
  opened = 0

  constructor({ clock, random, logger }: { clock: Clock; random: Random; logger: Logger }) {
    this.#clock = clock
    this.#logger = logger
    this.#backoff = new Backoff(clock, random, FIRST_PAUSE_MS, LONGEST_PAUSE_MS)
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Why a call may not be made now, or undefined when it may; what comes of it must then be told. */
  refusal(): string | undefined {
    if (this.#state === 'closed') return undefined
    if (this.#state === 'open' && this.#clock.now() >= this.#retryAtMs) {
      this.#state = 'half-open'
      return undefined
    }
    return `the coordination store failed ${this.#failures} times in a row and is not asked for a moment; last: ${this.#lastReason}`
  }

  succeeded(): void {
    this.#failures = 0
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#backoff.reset()
    this.#logger.info('the coordination store works again')
  }

  /** A call that is never held back failed: counts towards opening, but is no probe. */
  missed(reason: string): void {
    if (this.#state === 'closed') this.failed(reason)
  }

  failed(reason: string): void {
    this.#failures++
    this.#lastReason = reason
    // Calls made before it opened fail for a while yet.
    if (this.#state === 'open') return
    if (this.#state === 'closed') {
      if (this.#failures < FAILURES_TO_OPEN) return
      this.opened++
      this.#logger.warn('the coordination store keeps failing; until it works again requests fail at once', {
        failures: this.#failures,
        reason,
      })
    }
    this.#state = 'open'
    this.#retryAtMs = this.#clock.now() + this.#backoff.next()
  }

  /** A call that is never held back got through. */
  reached(): void {
    if (this.#state === 'closed') this.#failures = 0
    else this.#retryAtMs = this.#clock.now()
  }
}
