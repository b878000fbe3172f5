import type { Clock } from '../src/core/ports/clock.ts'
import type { Random } from '../src/core/ports/random.ts'

/** Pauses between attempts: each up to twice as long as the one before, with jitter so that nodes do not march in step. */
export class Backoff {
  readonly #clock: Clock
  readonly #random: Random
  readonly #firstMs: number
  readonly #maxMs: number
  #nextMs: number

  /** The first pause is at most `firstMs`, no pause longer than `maxMs`; each at least half of its bound. */
  constructor(clock: Clock, random: Random, firstMs: number, maxMs: number) {
    this.#clock = clock
    this.#random = random
    this.#firstMs = firstMs
    this.#maxMs = maxMs
    this.#nextMs = firstMs
  }

  /** Length of the next pause, ms. */
  next(): number {
    const boundMs = this.#nextMs
    this.#nextMs = Math.min(this.#maxMs, boundMs * 2)
    return boundMs * (0.5 + this.#random.fraction() / 2)
  }

  reset(): void {
    this.#nextMs = this.#firstMs
  }

  pause(): Promise<void> {
    return pause(this.#clock, this.next())
  }
}

/** Resolves `ms` from now. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise(resolve => {
    clock.schedule(ms, resolve)
  })
}
