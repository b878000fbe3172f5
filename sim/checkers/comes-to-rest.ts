import type { Checker } from './checker.ts'

/** Invariant 21: once faults have ended, nodes are ready, clients are connected and everything under way is settled. */
export const comesToRest: Checker = ({ unsettled, broken, dropped, endMs }) => [
  ...unsettled.map(detail => ({ invariant: 21, atMs: endMs, detail })),
  ...broken.map(detail => ({ invariant: 0, atMs: endMs, detail })),
  ...Object.entries(dropped)
    .filter(([, count]) => count > 0)
    .map(([counter, count]) => ({
      invariant: 1,
      atMs: endMs,
      detail: `${counter} is ${count}, though no cap could be met`,
    })),
]
