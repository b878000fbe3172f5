import type { Clock } from './ports/clock.ts'

const INTERVAL_MS = 60_000

/** Keeps what may happen thousands of times a second to one log line a minute. */
export class OccasionalLog {
  readonly #clock: Clock
  readonly #write: (detail: string, count: number) => void
  #count = 0
  #nextAtMs = -Infinity

  /** `write` gets the newest detail, and how often it happened since the last line. */
  constructor(clock: Clock, write: (detail: string, count: number) => void) {
    this.#clock = clock
    this.#write = write
  }

  note(detail: string): void {
    this.#count++
    const nowMs = this.#clock.now()
    if (nowMs < this.#nextAtMs) return
    this.#nextAtMs = nowMs + INTERVAL_MS
    const count = this.#count
    this.#count = 0
    this.#write(detail, count)
  }
}
