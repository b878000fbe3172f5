import type { Meter } from './build-result.ts'

const RUNS = 5

/** Topics to try in a structure of so many filters: enough to count rare errors, no more than it is worth. */
export function probesOf(filters: number): number {
  return Math.min(200_000, Math.max(5_000, filters))
}

/** Median nanoseconds of `call` over the texts, each run over all of them. */
export function nanosecondsPerCall(
  { now }: Pick<Meter, 'now'>,
  texts: readonly string[],
  call: (text: string) => unknown,
): number {
  const runs: number[] = []
  for (let run = 0; run < RUNS; run++) {
    const startMs = now()
    for (const text of texts) call(text)
    runs.push(((now() - startMs) * 1e6) / Math.max(1, texts.length))
  }
  return runs.sort((a, b) => a - b)[RUNS >> 1] ?? 0
}
