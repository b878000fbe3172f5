import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SpreadResult, SpreadSpec } from '../load/spread-spec.ts'
import type { Measurement, RunContext, Scenario } from '../scenarios/scenario.ts'
import { RequestWorker } from '../request-worker.ts'
import type { SpreadAnswer, SpreadCounts, SpreadRequest } from './spread-protocol.ts'

const nodeCount = 20
const changesPerSecond = 20

/** By then a subscription shall be known everywhere, so that a message missed later is a false negative. */
const settledMs = 100

interface Cluster {
  spread(spec: Omit<SpreadSpec, 'changesPerSecond'>): Promise<SpreadResult>
  counts(): Promise<SpreadCounts>
}

/** Runs `use` with a fresh cluster in one process on the brokers' core. */
async function withCluster(
  { cores, load, timing, signal }: RunContext,
  use: (cluster: Cluster) => Promise<Measurement>,
): Promise<Measurement> {
  const directory = await mkdtemp(join(tmpdir(), 'grapevine-bench-spread-'))
  const worker = new RequestWorker<SpreadRequest, SpreadAnswer>({
    ...{ importer: import.meta.url, script: './spread-process' },
    args: [String(nodeCount), directory],
    core: cores?.broker ?? null,
    signal,
  })
  try {
    const { ports = [] } = await worker.request({ kind: 'ports' })
    const counts = async (): Promise<SpreadCounts> => {
      const answer = await worker.request({ kind: 'counts' })
      if (answer.counts === undefined) throw new Error('the cluster did not answer with its counts')
      return answer.counts
    }
    const measurement = await use({
      counts,
      spread: async spec =>
        await load.request({
          ...{ kind: 'spread', target: { ports }, timing },
          spec: { ...spec, changesPerSecond },
        }),
    })
    return { ...measurement, cpuSeconds: (await counts()).cpuSeconds }
  } finally {
    await worker.stop()
    await rm(directory, { recursive: true, force: true })
  }
}

async function measureSpread(context: RunContext): Promise<Measurement> {
  return await withCluster(context, async cluster => {
    // Code that runs for the first time is no part of the spread.
    await cluster.spread({ prefix: 'warm-up', barrier: 'local', probesAfterMs: [] })
    const before = await cluster.counts()
    const startMs = performance.now()
    const { changes } = await cluster.spread({ prefix: 'local', barrier: 'local', probesAfterMs: [] })
    const after = await cluster.counts()
    const seconds = (performance.now() - startMs) / 1000
    const counts = after.counts.map((count, index) => count - (before.counts[index] ?? 0))
    const bounds = [...after.bounds, Number.POSITIVE_INFINITY].map(bound => Math.min(bound, after.maxMs))
    const batches = counts.reduce((sum, count) => sum + count, 0)
    const all = await cluster.spread({ prefix: 'all', barrier: 'all', probesAfterMs: [] })
    return {
      metrics: {
        spreadP99: percentileOf(bounds, counts, 99),
        spreadP50: percentileOf(bounds, counts, 50),
        spreadMax: after.maxMs,
        batches,
        changes,
        subackP50: all.suback.p50Ms,
        subackP99: all.suback.p99Ms,
        subackMax: all.suback.maxMs,
        refused: all.refused,
        brokerCores: (after.cpuSeconds - before.cpuSeconds) / seconds,
      },
      latencyCurve: all.suback.curve,
      ...(batches === 0 ? { fault: 'the nodes measured no change' } : {}),
    }
  })
}

/** The upper bound of the class in which the percentile lies. */
function percentileOf(bounds: readonly number[], counts: readonly number[], percentile: number): number {
  const wanted = (counts.reduce((sum, count) => sum + count, 0) * percentile) / 100
  let seen = 0
  for (const [index, count] of counts.entries()) {
    seen += count
    if (seen >= wanted) return bounds[index] ?? Number.NaN
  }
  return Number.NaN
}

async function measureMisses(context: RunContext): Promise<Measurement> {
  return await withCluster(context, async cluster => {
    await cluster.spread({ prefix: 'warm-up', barrier: 'local', probesAfterMs: [0, settledMs] })
    const local = await cluster.spread({
      prefix: 'local',
      barrier: 'local',
      probesAfterMs: [0, settledMs],
    })
    const quorum = await cluster.spread({ prefix: 'quorum', barrier: 'quorum', probesAfterMs: [0] })
    const all = await cluster.spread({ prefix: 'all', barrier: 'all', probesAfterMs: [0] })
    const missedAtAll = all.probes[0]?.missed ?? Number.NaN
    return {
      metrics: {
        missedSettled: shareOf(local, 1),
        missedLocal: shareOf(local, 0),
        missedQuorum: shareOf(quorum, 0),
        missedAll: shareOf(all, 0),
        missedSettledCount: local.probes[1]?.missed ?? Number.NaN,
        missedAllCount: missedAtAll,
        probes: all.probes[0]?.sent ?? 0,
        refused: quorum.refused + all.refused,
      },
      ...(missedAtAll === 0 ? {} : { fault: `${missedAtAll} messages were missed after a barrier of all` }),
    }
  })
}

function shareOf({ probes }: SpreadResult, place: number): number {
  const { sent = 0, missed = 0 } = probes[place] ?? {}
  return (100 * missed) / sent
}

const cluster = `${nodeCount} complete nodes in one process; ${changesPerSecond} new subscriptions a second, at each node in turn, every fourth with a wildcard`

/** How fast subscriptions reach all nodes, and what is missed until they do. */
export const spreadScenarios: readonly Scenario[] = [
  {
    id: 'mesh-spread',
    group: 'mesh',
    title: 'Spread of subscriptions',
    description: `${cluster}; by the nodes' own histogram from a change until it is applied on all (bounds of its classes), then from SUBSCRIBE to SUBACK with barrier all`,
    metrics: [
      { key: 'spreadP99', title: 'p99 (class)', unit: 'ms', better: 'lower' },
      { key: 'spreadP50', title: 'p50 (class)', unit: 'ms', better: 'lower' },
      { key: 'spreadMax', title: 'max since start', unit: 'ms', better: 'lower' },
      { key: 'batches', title: 'batches', unit: '' },
      { key: 'subackP50', title: 'SUBACK at all: p50', unit: 'ms', better: 'lower' },
      { key: 'subackP99', title: 'p99', unit: 'ms', better: 'lower' },
      { key: 'subackMax', title: 'max', unit: 'ms', better: 'lower' },
      { key: 'refused', title: 'refused', unit: '' },
      { key: 'brokerCores', title: 'nodes', unit: 'cores' },
    ],
    budget: { kind: 'at-most', value: 100 },
    against: 'own',
    contestant: `${nodeCount} nodes`,
    measure: measureSpread,
  },
  {
    id: 'mesh-misses',
    group: 'mesh',
    title: 'Messages missed by new subscriptions',
    description: `${cluster}; after each SUBACK one message at each of the other nodes: at once with barrier local, quorum and all, and with local ${settledMs} ms later; a miss at all is a fault`,
    metrics: [
      { key: 'missedSettled', title: `missed ${settledMs} ms later`, unit: '%', better: 'lower' },
      { key: 'missedLocal', title: 'at once: local', unit: '%', better: 'lower' },
      { key: 'missedQuorum', title: 'quorum', unit: '%', better: 'lower' },
      { key: 'missedAll', title: 'all', unit: '%', better: 'lower' },
      { key: 'probes', title: 'messages each', unit: '' },
      { key: 'refused', title: 'refused', unit: '' },
    ],
    budget: { kind: 'at-most', value: 0.01 },
    against: 'own',
    contestant: `${nodeCount} nodes`,
    measure: measureMisses,
  },
]
