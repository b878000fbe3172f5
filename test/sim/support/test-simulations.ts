import type { ChaosOptions, ChaosResult } from '../../../sim/chaos/chaos-run.ts'
import { SimulationPool } from '../../../sim/world/simulation-pool.ts'
import type { PlantedBug } from './planted-bugs.ts'
import type { Outage } from './stop-and-go-on.ts'

/** What `test-simulations-thread.ts` runs. */
export type TestSimulation =
  | { readonly kind: 'planted-bug'; readonly options: ChaosOptions; readonly bug: PlantedBug }
  | { readonly kind: 'stop-and-go-on'; readonly isFenced: boolean; readonly outage: Outage }
  | { readonly kind: 'globals' | 'rejection' | 'endless' }

const script = new URL('test-simulations-thread.ts', import.meta.url)

/** Runs one in a thread of its own, which is ended with it or by `signal`. */
export async function simulate<Result = ChaosResult>(
  asked: TestSimulation,
  signal?: AbortSignal,
): Promise<Result> {
  const pool = new SimulationPool<TestSimulation, Result>(script, 1, signal)
  try {
    return await pool.run(asked)
  } finally {
    await pool.close()
  }
}
