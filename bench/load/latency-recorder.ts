import { build } from 'hdr-histogram-js'

/** Milliseconds at the usual percentiles, and the curve for the report. */
export interface LatencySummary {
  count: number
  p50Ms: number
  p99Ms: number
  p999Ms: number
  maxMs: number
  /** Pairs of percentile and milliseconds, rising. */
  curve: [percentile: number, ms: number][]
}

const curvePercentiles = [0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 100]

/** Latencies above one minute are recorded as one minute. */
const latencyUsMax = 60_000_000

/**
 * Latencies of the messages whose send time lies in the measured window, in microseconds, three significant digits.
 * Neighbouring messages of one batch share a send time and are recorded together, which keeps the cost per message
 * far below that of the histogram.
 */
export class LatencyRecorder {
  readonly #histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: latencyUsMax,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 32,
    autoResize: false,
  })
  #from = Number.POSITIVE_INFINITY
  #to = Number.POSITIVE_INFINITY
  #receivedAt = 0
  #sentAt = Number.NaN
  #count = 0

  /** Only messages sent at or after `from` and before `to` count (milliseconds of `performance.now()`). */
  measure(from: number, to: number): void {
    this.#from = from
    this.#to = to
  }

  /** Everything until `chunkEnd` was received at `now`. */
  chunkStart(now: number): void {
    this.#receivedAt = now
  }

  record(sentAt: number): void {
    if (sentAt !== this.#sentAt) {
      this.#flush()
      this.#sentAt = sentAt
    }
    this.#count++
  }

  chunkEnd(): void {
    this.#flush()
  }

  summary(): LatencySummary {
    const histogram = this.#histogram
    const maxUs = histogram.totalCount === 0 ? 0 : histogram.maxValue
    // A percentile is the upper end of its class, which may lie above the greatest value there was.
    const at = (percentile: number) => Math.min(histogram.getValueAtPercentile(percentile), maxUs) / 1000
    return {
      count: histogram.totalCount,
      p50Ms: at(50),
      p99Ms: at(99),
      p999Ms: at(99.9),
      maxMs: maxUs / 1000,
      curve: curvePercentiles.map(percentile => [percentile, at(percentile)]),
    }
  }

  #flush(): void {
    if (this.#count > 0 && this.#sentAt >= this.#from && this.#sentAt < this.#to) {
      const us = Math.round((this.#receivedAt - this.#sentAt) * 1000)
      this.#histogram.recordValueWithCount(Math.min(Math.max(us, 1), latencyUsMax), this.#count)
    }
    this.#count = 0
    this.#sentAt = Number.NaN
  }
}
