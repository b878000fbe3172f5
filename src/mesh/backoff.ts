import type { Random } from '../core/ports/random.ts'

const FIRST_MS = 50
const LAST_MS = 2_000

/** Milliseconds to wait after `failures` (≥ 1) failures in a row: 50 ms doubling to 2 s, of which half is random. */
export function backoffMs(failures: number, random: Random): number {
  const ceiling = Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(failures - 1, 16))
  return ceiling * (0.5 + random.fraction() / 2)
}
