/** A figure that a simulator command rests on: what its model says, and what the real thing did under the same load. */
export interface Comparison {
  readonly subject: 'gossip' | 'etcd' | 'forwarding' | 'memory'
  /** What is compared, and under which load. */
  readonly what: string
  readonly unit: 'ms' | '/s' | 'cores' | 'MiB'
  readonly model: number
  /** Median of the repetitions. */
  readonly real: number
  /** How far the model may be off, as a share of the real figure, towards the better side and towards the worse. */
  readonly tolerance: Tolerance
}

export interface Tolerance {
  readonly better: number
  readonly worse: number
  /** Too small to tell: a difference of so much, in the unit, is none. */
  readonly floor?: number
}

/** How far the model is off, %: above 0 where it says more than there is. */
export function errorPercent({ model, real }: Comparison): number {
  return (100 * (model - real)) / real
}

/** Whether the model is as close as stated. */
export function isWithin(comparison: Comparison): boolean {
  const { unit, model, real, tolerance } = comparison
  if (!Number.isFinite(model) || !Number.isFinite(real)) return false
  if (Math.abs(model - real) <= (tolerance.floor ?? 0)) return true
  // Throughput is the one figure of which more is better.
  const tooGood = unit === '/s' ? model - real : real - model
  return tooGood > 0 ? tooGood <= tolerance.better * real : -tooGood <= tolerance.worse * real
}
