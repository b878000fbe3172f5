/**
 * A moment by which something may no longer be relied on, whatever the clocks do.
 *
 * It is over when either clock says so: the monotonic one stands still while a machine is suspended, the wall clock may be set
 * back. Invariant: what is left by the wall clock is never more than what was left by the monotonic one when it was last
 * looked at, so a wall clock set back does not hide a suspension that follows.
 */
import type { Clock } from '../src/core/ports/clock.ts'

export class Deadline {
  readonly #clock: Clock
  #atMs = -Infinity
  #wallAtMs = -Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Monotonic ms; -Infinity when there is nothing to rely on. */
  get atMs(): number {
    return this.#atMs
  }

  /** `forMs` from the moment at which the clocks showed those times. */
  set(sinceMs: number, sinceWallMs: number, forMs: number): void {
    this.#atMs = sinceMs + forMs
    this.#wallAtMs = sinceWallMs + forMs
  }

  clear(): void {
    this.#atMs = -Infinity
    this.#wallAtMs = -Infinity
  }

  /** Cheap: asked before every acknowledgement. */
  isAhead(): boolean {
    const leftMs = this.#atMs - this.#clock.now()
    const wallMs = this.#clock.wallNow()
    if (leftMs <= 0 || wallMs >= this.#wallAtMs) return false
    this.#wallAtMs = Math.min(this.#wallAtMs, wallMs + leftMs + WALL_GRAIN_MS)
    return true
  }
}

/** The wall clock counts whole milliseconds. */
const WALL_GRAIN_MS = 1
