import type { HistogramReading } from '../src/core/ports/node-status.ts'

/** Upper bounds, in seconds, of what a call to a store in the same place, in another, and in trouble takes. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

/** How long calls took, counted by bounds. Fixed in size. */
export class LatencyHistogram {
  static readonly bounds: readonly number[] = BOUNDS
  readonly #counts = new Array<number>(BOUNDS.length + 1).fill(0)
  #sum = 0

  add(durationMs: number): void {
    const seconds = durationMs / 1000
    const index = BOUNDS.findIndex(bound => seconds <= bound)
    const bucket = index < 0 ? BOUNDS.length : index
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#sum += seconds
  }

  read(): HistogramReading {
    return { counts: [...this.#counts], sum: this.#sum }
  }
}
