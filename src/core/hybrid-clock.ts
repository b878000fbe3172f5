import type { Clock } from './ports/clock.ts'

/** Steps of hybrid time within a millisecond; leaves 42 bits of a safe integer for the milliseconds, until 2109. */
const STEPS_PER_MS = 2048

/** How far ahead of this node's wall clock a stamp of another node may be, in ms, before it is refused. */
export const STAMP_AHEAD_MS_MAX = 500

/**
 * Hybrid logical time (Kulkarni et al., 2014): wall clock ms × 2048 as long as that rises, else the last time plus one. So a
 * message stamped after another was seen has the higher time, whatever the clocks of their nodes say. Stamps too far in the
 * future are refused, or one wrong clock would take every later stamp with it.
 */
export class HybridClock {
  readonly #clock: Pick<Clock, 'wallNow'>
  #last = 0

  constructor(clock: Pick<Clock, 'wallNow'>) {
    this.#clock = clock
  }

  /** Later than everything it gave or observed. */
  next(): number {
    this.#last = Math.max(this.#last + 1, Math.floor(this.#clock.wallNow()) * STEPS_PER_MS)
    return this.#last
  }

  /** Notes another node's time. False: it is too far ahead, and was not noted. */
  observe(time: number): boolean {
    if (time > (this.#clock.wallNow() + STAMP_AHEAD_MS_MAX) * STEPS_PER_MS) return false
    if (time > this.#last) this.#last = time
    return true
  }
}

/** Wall clock ms of a hybrid time. */
export function wallMsOf(time: number): number {
  return Math.floor(time / STEPS_PER_MS)
}
