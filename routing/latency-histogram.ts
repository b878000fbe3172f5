/** Counts durations by upper bound, for metrics; a few additions per value. */
export class LatencyHistogram {
  /** Upper bounds, ms; the last bucket has none. */
  static readonly boundsMs: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
  /** Values per bucket, not cumulative: one more than there are bounds. */
  readonly counts: number[] = Array.from({ length: LatencyHistogram.boundsMs.length + 1 }, () => 0)
  count = 0
  sumMs = 0

  add(ms: number): void {
    const { boundsMs } = LatencyHistogram
    let bucket = 0
    while (bucket < boundsMs.length && ms > (boundsMs[bucket] as number)) bucket++
    this.counts[bucket] = (this.counts[bucket] as number) + 1
    this.count++
    this.sumMs += ms
  }
}
