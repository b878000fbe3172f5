import type { Clock } from './ports/clock.ts'

/** So much per second on average, and so much at once after a pause. */
export class RateLimit {
  readonly #clock: Clock
  readonly #perSecond: number
  readonly #burst: number
  #left: number
  #asOfMs: number

  constructor(clock: Clock, perSecond: number, burst: number) {
    this.#clock = clock
    this.#perSecond = perSecond
    this.#burst = burst
    this.#left = burst
    this.#asOfMs = clock.now()
  }

  /** False when `amount` is more than is left; it is not taken then. */
  take(amount: number): boolean {
    const nowMs = this.#clock.now()
    this.#left = Math.min(this.#burst, this.#left + ((nowMs - this.#asOfMs) / 1000) * this.#perSecond)
    this.#asOfMs = nowMs
    if (amount > this.#left) return false
    this.#left -= amount
    return true
  }
}
