/**
 * Builds the remote index of one node at full size, the way it comes to be when a node joins: every other node counts its
 * filters in a counting bloom filter, whose segments are written into the index, and the digests are compared.
 *
 * Production structures only, nothing of its own; what it draws is a function of the task.
 */
import { bloomBitsFor } from '../../gossip/bloom-sizing.ts'
import { CountingBloom } from '../../gossip/counting-bloom.ts'
import { HashedRemoteIndex } from '../../routing/remote-index.ts'
import type { NodeId } from '../../src/core/ids.ts'
import { TopicHasher } from '../../src/core/interest-hash.ts'
import type { RemoteNodeInterest } from '../../src/core/ports/routing.ts'
import { SeededRandom } from '../ports/seeded-random.ts'
import type { FilterResult, FilterTask, Meter, OnProgress, RemoteResult, RemoteTask } from './build-result.ts'
import { alarmTopic, exactFilter, sharedFilter, strayTopic, wildcardFilter } from './filter-names.ts'
import { nanosecondsPerCall, probesOf } from './match-timing.ts'

const PROGRESS_STEPS = 1 << 18

export function buildRemote(task: RemoteTask, meter: Meter, onProgress: OnProgress): RemoteResult {
  const cluster = clusterName(task.seed)
  const random = new SeededRandom(task.seed)
  const index = new HashedRemoteIndex(cluster)
  const others = task.nodes - 1
  const total = others * task.exactFilters
  const startMs = meter.now()
  let digestsEqual = 0
  for (let node = 1; node <= others; node++) {
    const base = node * task.exactFilters
    const bloom = countedFilters(cluster, base, task.exactFilters, task.wildcardFilters, done =>
      onProgress(base - task.exactFilters + done, total),
    )
    const interest = index.node(nodeId(node))
    writeAll(interest, bloom)
    if (interest.checksum === bloom.checksum) digestsEqual++
  }
  const emptyHeap = meter.heapBytes()
  let patternsOfNodes = 0
  for (let node = 1; node <= others; node++) {
    const interest = index.node(nodeId(node))
    setPatterns(interest, task, random)
    patternsOfNodes += index.nodes.get(nodeId(node))?.patternCount ?? 0
  }
  const patternHeapBytes = Math.max(0, meter.heapBytes() - emptyHeap)
  const buildMs = meter.now() - startMs
  const probes = probesOf(task.exactFilters)
  const hits = Array.from({ length: Math.min(probes, task.exactFilters) }, () => {
    const node = 1 + Math.floor(random.fraction() * others)
    const number = node * task.exactFilters + Math.floor(random.fraction() * task.exactFilters)
    return { node: nodeId(node), topic: exactFilter(number, task.wildcardFilters) }
  })
  const strays = Array.from({ length: probes }, () => strayTopic(random.uint32()))
  const alarms = Array.from({ length: probes }, () =>
    alarmTopic(Math.floor(random.fraction() * Math.max(1, task.wildcardFilters)), random.uint32()),
  )
  let named = 0
  let missed = 0
  for (const { node, topic } of hits) {
    const nodes = index.match(topic)
    named += nodes.length
    if (!nodes.includes(node)) missed++
  }
  let wasted = 0
  for (const topic of strays) wasted += index.match(topic).length
  const match = (topic: string): unknown => index.match(topic)
  return {
    kind: 'remote',
    exactFilters: task.exactFilters,
    bits: Math.log2(index.tableBytes / Uint32Array.BYTES_PER_ELEMENT / Math.ceil(others / 32)),
    tableBytes: index.tableBytes,
    patterns: differentPatterns(index),
    patternsOfNodes,
    digestsEqual,
    strays: strays.length,
    wasted,
    hits: hits.length,
    named,
    missed,
    measured: {
      buildMs,
      patternHeapBytes,
      hitNs: nanosecondsPerCall(
        meter,
        hits.map(({ topic }) => topic),
        match,
      ),
      strayNs: nanosecondsPerCall(meter, strays, match),
      wildcardNs: nanosecondsPerCall(meter, alarms, match),
    },
  }
}

/** How often a bloom filter with so many filters, of the size production gives it, is wrong. */
export function buildFilter(task: FilterTask, meter: Meter, onProgress: OnProgress): FilterResult {
  const cluster = clusterName(task.seed)
  const startMs = meter.now()
  const bloom = countedFilters(cluster, 0, task.exactFilters, 0, done => onProgress(done, task.exactFilters))
  const index = new HashedRemoteIndex(cluster)
  writeAll(index.node(nodeId(1)), bloom)
  const random = new SeededRandom(task.seed)
  const strays = probesOf(task.exactFilters)
  let wasted = 0
  for (let i = 0; i < strays; i++) wasted += index.match(strayTopic(random.uint32())).length
  const measured = { buildMs: meter.now() - startMs }
  return {
    kind: 'filter',
    exactFilters: task.exactFilters,
    bits: bloom.bits,
    strays,
    wasted,
    measured,
  }
}

/** Hashes depend on it, so it is part of the seed. */
export function clusterName(seed: number): string {
  return `capacity-${seed}`
}

function nodeId(node: number): NodeId {
  return `node-${node}`
}

/** The counting bloom filter of filters `base` to `base + count`, as their origin keeps it. */
function countedFilters(
  cluster: string,
  base: number,
  count: number,
  sites: number,
  onProgress: (done: number) => void,
): CountingBloom {
  const hasher = new TopicHasher(cluster)
  const bloom = new CountingBloom(bloomBitsFor(count))
  for (let i = 0; i < count; i++) {
    hasher.hash(exactFilter(base + i, sites))
    bloom.add(hasher.low, hasher.high)
    if (i % PROGRESS_STEPS === 0) onProgress(i)
  }
  return bloom
}

function writeAll(interest: RemoteNodeInterest, bloom: CountingBloom): void {
  interest.begin(bloom.bits)
  for (let i = 0; i < bloom.checksums.length; i++) interest.writeSegment(i, bloom.segment(i))
  interest.setKnown(true)
}

/** Each subscription takes one of the filters there are at random. */
function setPatterns(interest: RemoteNodeInterest, task: RemoteTask, random: SeededRandom): void {
  for (let i = 0; i < task.wildcardSubscriptions; i++)
    interest.setPattern('', wildcardFilter(Math.floor(random.fraction() * task.wildcardFilters)), 1)
  const members = new Map<number, number>()
  for (let i = 0; i < task.sharedSubscriptions; i++) {
    const number = Math.floor(random.fraction() * task.sharedGroups)
    members.set(number, (members.get(number) ?? 0) + 1)
  }
  for (const [number, count] of members) {
    const { group, filter } = sharedFilter(number)
    interest.setPattern(group, filter, count)
  }
}

function differentPatterns(index: HashedRemoteIndex): number {
  const seen = new Set<string>()
  for (const node of index.nodes.values())
    for (const { group, filter } of node.patterns) seen.add(`${group}/${filter}`)
  return seen.size
}
