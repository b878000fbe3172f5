/**
 * Figures of the index of other nodes' interest at 20 nodes × 500,000 exact filters, beside the budgets of the project and
 * a plain trie of the `qlobber` package with as many filters as fit into its memory.
 */
import { Qlobber } from 'qlobber'
import { TopicHasher } from '../src/core/interest-hash.ts'
import { HashedRemoteIndex } from '../routing/remote-index.ts'
import { bloomBitsFor } from '../gossip/bloom-sizing.ts'
import { CountingBloom } from '../gossip/counting-bloom.ts'
import { cpuMicros, fillNode, measureChanges } from './remote-changes.ts'

const NODES = 20
const FILTERS_PER_NODE = 500_000
const WILDCARDS_PER_NODE = 500
/** A hundredth of all filters: ten million would take it several gigabytes. */
const TRIE_FILTERS = 100_000
const PROBES = 200_000
const RUNS = 9
const CHANGES = 1_000_000

type Show = (what: string, value: number, unit: string, limit?: number) => void

const filterOf = (node: number, i: number): string => `site/${node}/device/${i}/state`

/** Median nanoseconds of processor time of `call(i)` over all probes. */
function measure(call: (i: number) => unknown): number {
  const runs: number[] = []
  for (let run = 0; run < RUNS; run++) {
    const start = cpuMicros()
    for (let i = 0; i < PROBES; i++) call(i)
    runs.push(((cpuMicros() - start) * 1000) / PROBES)
  }
  return runs.sort((a, b) => a - b)[RUNS >> 1] ?? 0
}

export function benchRemote(show: Show): void {
  const hasher = new TopicHasher('bench')
  const index = new HashedRemoteIndex('bench')
  let originBytes = 0
  let snapshotMs = 0
  for (let node = 0; node < NODES; node++) {
    const bloom = new CountingBloom(bloomBitsFor(FILTERS_PER_NODE))
    for (let i = 0; i < FILTERS_PER_NODE; i++) {
      hasher.hash(filterOf(node, i))
      bloom.add(hasher.low, hasher.high)
    }
    originBytes = 2 ** (bloom.bits - 1) + 2 ** (bloom.bits - 3)
    const start = cpuMicros()
    fillNode(index.node(`node-${node}`), bloom)
    snapshotMs += (cpuMicros() - start) / 1000
  }
  console.log(`remote match, ${NODES} nodes, each with ${FILTERS_PER_NODE} exact filters`)
  show('  tables of all nodes', index.tableBytes / 1e6, 'MB', 40)
  show('  … per remote filter', index.tableBytes / (NODES * FILTERS_PER_NODE), 'B')
  show("  this node's own counting filter", originBytes / 1e6, 'MB')
  show('  a snapshot of 500,000 filters applied', snapshotMs / NODES, 'ms')
  const exact = Array.from({ length: PROBES }, (_, i) => filterOf(i % NODES, (i * 7919) % FILTERS_PER_NODE))
  const misses = Array.from({ length: PROBES }, (_, i) => `plant/${i % NODES}/device/${i}/state`)
  const exactNs = measure(i => index.match(exact[i] as string))
  const missNs = measure(i => index.match(misses[i] as string))
  show('  exact, not remembered', exactNs, 'ns', 500)
  show('  no match, not remembered', missNs, 'ns', 500)
  show(
    '  remembered',
    measure(() => index.match('site/1/device/1/state')),
    'ns',
  )
  let wasted = 0
  for (const topic of misses) wasted += index.match(topic).length
  let extra = 0
  for (const topic of exact) extra += index.match(topic).length - 1
  show('  wasted forwards per 100 publishes nobody wants', (100 * wasted) / PROBES, '', 1.5)
  show('  wasted forwards per 100 publishes one node wants', (100 * extra) / PROBES, '', 1.5)

  for (let node = 0; node < NODES; node++) {
    for (let i = 0; i < WILDCARDS_PER_NODE; i++)
      index.node(`node-${node}`).setPattern('', `site/${i}/+/${node}/#`, 1)
  }
  show(
    `  exact, with ${NODES * WILDCARDS_PER_NODE} wildcards too`,
    measure(i => index.match(exact[i] as string)),
    'ns',
    500,
  )
  const wild = Array.from(
    { length: PROBES },
    (_, i) => `site/${i % WILDCARDS_PER_NODE}/device/${i % NODES}/${i}`,
  )
  show(
    '  wildcard, not remembered',
    measure(i => index.match(wild[i] as string)),
    'ns',
    500,
  )

  const rate = measureChanges(index, NODES, CHANGES)
  show('  changes applied per second, frames decoded (≥ 1)', rate / 1e6, 'M', 1)

  const trie = new Qlobber<string>({ separator: '/', wildcard_one: '+', wildcard_some: '#' })
  for (let i = 0; i < TRIE_FILTERS; i++) trie.add(filterOf(i % NODES, i), `node-${i % NODES}`)
  const known = Array.from({ length: PROBES }, (_, i) => filterOf(i % NODES, i % TRIE_FILTERS))
  const trieNs = measure(i => trie.match(known[i] as string))
  show(`  qlobber, ${TRIE_FILTERS} filters, exact`, trieNs, 'ns')
  show('  … times as long as ours', trieNs / exactNs, '')
}
