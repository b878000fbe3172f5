import type { Section } from '../report/report.ts'
import type { PointResult } from './point.ts'
import { CURVES_MAX, runCells, runName, runTable, type Convergence } from './run-names.ts'

/** How far the nodes came apart during the partition, and when they agreed again; nothing without one. */
export function partitionSections(convergence: Convergence): readonly Section[] {
  const { scenario, results } = convergence
  const { partition } = scenario
  const shown = results.filter(({ divergence }) => divergence.length > 0)
  if (partition === undefined || shown.length === 0) return []
  const { from, to, cut } = partition
  const rows = shown.map(result => {
    const during = result.divergence.filter(([at]) => at >= from && at < to).map(([, pairs]) => pairs)
    const healed = result.divergence.find(([at, pairs]) => at >= to && pairs <= restingPairs(result, from))
    const seconds = healed === undefined ? undefined : healed[0] - to
    return [
      ...runCells(convergence, result),
      String(result.settings.nodes * (result.settings.nodes - 1)),
      String(Math.max(0, ...during)),
      seconds === undefined ? { text: 'not within the run', verdict: 'bad' as const } : seconds.toFixed(1),
      String(result.repairs),
    ]
  })
  return [
    {
      heading: 'The partition',
      prose: `From ${from} to ${to} s: ${cutText(cut)}. A pair of nodes differs when one does not have the other’s interest as it is at that moment; a few always do, while changes are on their way.`,
      tables: [
        runTable(convergence, ['pairs', 'differing at most', 'as before, s after the end', 'repairs'], rows),
      ],
      charts: [
        {
          kind: 'lines',
          title: 'Pairs of nodes that differ',
          x: { label: 'seconds from the first change' },
          y: { label: 'pairs' },
          series: shown.slice(0, CURVES_MAX).map(result => ({
            name: runName(convergence, result),
            points: result.divergence,
          })),
          spans: [{ from, to, label: cutText(cut) }],
        },
      ],
    },
  ]
}

/** What is usual without a partition: the most pairs that differed before it. */
function restingPairs({ divergence }: PointResult, from: number): number {
  return Math.max(0, ...divergence.filter(([at]) => at < from).map(([, pairs]) => pairs))
}

/** How the nodes are cut, in words. */
export function cutText(cut: 'one-node' | 'half' | 'zone'): string {
  return { 'one-node': 'one node cut off', half: 'cut in two halves', zone: 'one zone cut off' }[cut]
}
