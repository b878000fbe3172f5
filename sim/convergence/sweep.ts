import { SimulationPool } from '../world/simulation-pool.ts'
import type { PointCosts, PointResult, PointSettings } from './point.ts'

export interface PointRequest {
  readonly settings: PointSettings
  readonly costs: PointCosts
}

export interface SweepOptions {
  readonly costs: PointCosts
  /** Runs at a time, each in a thread of its own. */
  readonly threads: number
  /** How much of the whole sweep is done, from 0 to 1. */
  readonly onProgress: (share: number) => void
  /** Ends the sweep: what is not finished is given up. */
  readonly signal: AbortSignal
}

const script = new URL(
  import.meta.url.endsWith('.ts') ? './point-thread.ts' : './point-thread.js',
  import.meta.url,
)

/** The results in the order of the points, whichever ends first; undefined for those that did not end. Rejects when a run throws. */
export async function sweep(
  points: readonly PointSettings[],
  { costs, threads, onProgress, signal }: SweepOptions,
): Promise<(PointResult | undefined)[]> {
  if (signal.aborted) return points.map(() => undefined)
  const pool = new SimulationPool<PointRequest, PointResult>(script, threads, signal)
  const shares = new Array<number>(points.length).fill(0)
  const runs = points.map(async (settings, index) => {
    try {
      return await pool.run({ settings, costs }, share => {
        shares[index] = share
        onProgress(shares.reduce((sum, each) => sum + each, 0) / points.length)
      })
    } catch (error) {
      if (signal.aborted) return undefined
      throw error
    }
  })
  try {
    return await Promise.all(runs)
  } finally {
    await pool.close()
    await Promise.allSettled(runs)
  }
}
