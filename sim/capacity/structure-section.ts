import { bytesText, countText, percentText } from '../figures.ts'
import type { Section, Table } from '../report/report.ts'
import type { CapacityResult, CapacityRun } from './capacity-command.ts'

/** What was built, and what this run measured of it. */
export function structureSection(
  { remote, local, filters }: CapacityResult,
  measured: CapacityRun['measured'],
): Section {
  const rows: string[][] = []
  if (remote !== undefined) {
    const { exactFilters, bits, tableBytes, patterns, patternsOfNodes, digestsEqual } = remote
    rows.push(
      ['other nodes’ exact filters, each', countText(exactFilters)],
      ['their bloom filters', `2^${bits} positions, ${bytesText(tableBytes)} for all nodes`],
      [
        'wildcards and groups',
        `${countText(patterns)} different, ${countText(patternsOfNodes)} over all nodes`,
      ],
      ['digests that agree with their origin’s', countText(digestsEqual)],
      ['forwards per 100 messages nobody wants', countText((100 * remote.wasted) / remote.strays)],
      [
        '… nodes named per 100 that one node wants',
        countText((100 * remote.named) / Math.max(1, remote.hits)),
      ],
      ['… and that node was missed', `${remote.missed} of ${countText(remote.hits)} times`],
    )
  }
  if (local !== undefined) {
    const { clients, subscriptions, exactFilters, filters: all, bits, bloomBytes, missed, hits } = local
    rows.push(
      ['own clients', `${countText(clients)} with ${countText(subscriptions)} subscriptions`],
      ['own filters', `${countText(all)} different, ${countText(exactFilters)} of them without wildcards`],
      ['own counting bloom filter', `2^${bits} positions, ${bytesText(bloomBytes)}`],
      ['topics of them not found', `${missed} of ${countText(hits)}`],
    )
  }
  for (const { exactFilters, bits, wasted, strays } of filters)
    rows.push([
      `one node’s bloom filter of ${countText(exactFilters)}`,
      `2^${bits} positions, wrong about ${percentText(wasted / strays)}`,
    ])
  const tables: Table[] = [{ columns: [{ heading: 'Built' }, { heading: 'Found' }], rows }]
  const times = measuredRows(measured, local)
  if (times.length > 0)
    tables.push({
      caption: 'Measured in this run, on this machine, in processor time',
      columns: [{ heading: 'What' }, { heading: 'Took' }],
      rows: times,
    })
  return {
    heading: 'Routing structures, built for real',
    prose:
      rows.length === 0
        ? 'Nothing was built before the interruption.'
        : 'The code that nodes run, filled as a joining node fills it.',
    tables,
  }
}

function measuredRows(
  { remote, local, filters }: CapacityRun['measured'],
  built: CapacityResult['local'],
): string[][] {
  const rows: string[][] = []
  const match = (
    name: string,
    { hitNs, strayNs, wildcardNs }: { hitNs: number; strayNs: number; wildcardNs: number },
  ): void => {
    rows.push([
      `${name}: a topic somebody wants, nobody wants, a wildcard wants`,
      [hitNs, strayNs, wildcardNs].map(ns => `${countText(ns)} ns`).join(', '),
    ])
  }
  if (remote !== undefined) {
    rows.push(
      ['remote index', `${countText(remote.buildMs / 1000)} s`],
      ['heap of its wildcards and groups', bytesText(remote.patternHeapBytes)],
    )
    match('remote match', remote)
  }
  if (local !== undefined) {
    rows.push(
      ['local index', `${countText(local.buildMs / 1000)} s`],
      [
        'its heap, with the sessions’ maps',
        `${bytesText(local.heapBytes)}, ${countText(local.heapBytes / Math.max(1, built?.subscriptions ?? 1))} B a subscription`,
      ],
    )
    match('local match', local)
  }
  for (const { buildMs } of filters) rows.push(['one bloom filter', `${countText(buildMs / 1000)} s`])
  return rows
}
