import type { ChaosOptions, ChaosResult } from './chaos-run.ts'

/** Runs at most so often: a smaller schedule is worth minutes, not hours. */
const RUNS_MAX = 60

/**
 * Fewer faults that still make the same checker complain: whole halves are left out first, then smaller parts, until no single
 * one can go. Answers the indices, in the seed's own schedule, of those that stay.
 */
export async function shrink(
  options: ChaosOptions,
  failed: ChaosResult,
  run: (options: ChaosOptions) => Promise<ChaosResult>,
): Promise<readonly number[]> {
  const wanted = new Set(failed.violations.map(({ checker }) => checker))
  let kept = failed.faults.map((_, index) => index)
  let runs = 0
  const stillFails = async (indices: readonly number[]): Promise<boolean> => {
    runs++
    const { violations } = await run({ ...options, keptFaults: indices })
    return violations.some(({ checker }) => wanted.has(checker))
  }
  for (
    let size = Math.ceil(kept.length / 2);
    size >= 1 && kept.length > 0;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let start = 0; start < kept.length && runs < RUNS_MAX;) {
      const fewer = [...kept.slice(0, start), ...kept.slice(start + size)]
      if (await stillFails(fewer)) kept = fewer
      else start += size
    }
  }
  return kept
}
