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

/** When no change has been applied everywhere for so long, none is on its way. */
const quietMs = 500

interface Cluster {
  /** `measured` is called while the clients of the run are still there: when they go, so do all their subscriptions at once. */
  spread(spec: Omit<SpreadSpec, 'changesPerSecond'>, measured?: () => Promise<void>): Promise<SpreadResult>
  counts(): Promise<SpreadCounts>
}

/** Runs `use` with a fresh cluster: in one process on the brokers' core, or in several on both, on the etcd of the run. */
async function withCluster(
  { broker, cores, load, timing, signal }: RunContext,
  processes: number,
  use: (cluster: Cluster) => Promise<Measurement>,
): Promise<Measurement> {
  const directory = await mkdtemp(join(tmpdir(), 'grapevine-bench-spread-'))
  const each = nodeCount / processes
  const workers = Array.from({ length: processes }, (_, index) => {
    const numbers = [nodeCount, index * each, (index + 1) * each - 1].map(String)
    return new RequestWorker<SpreadRequest, SpreadAnswer>({
      ...{ importer: import.meta.url, script: './spread-process' },
      args: [directory, ...numbers, ...(processes === 1 ? [] : [`http://127.0.0.1:${broker.port}`])],
      core: processes === 1 ? (cores?.broker ?? null) : null,
      nodes: each,
      signal,
    })
  })
  const ask = async (request: SpreadRequest): Promise<SpreadAnswer[]> =>
    await Promise.all(workers.map(worker => worker.request(request)))
  try {
    const ports = (await ask({ kind: 'ports' })).flatMap(answer => answer.ports ?? [])
    const counts = async (): Promise<SpreadCounts> => sumOf(await ask({ kind: 'counts' }))
    const measurement = await use({
      counts,
      spread: async (spec, measured) => {
        const result = await load.request({
          ...{ kind: 'spread', target: { ports }, timing },
          spec: { ...spec, changesPerSecond },
        })
        await measured?.()
        await load.request({ kind: 'spread-close' })
        return result
      },
    })
    return { ...measurement, cpuSeconds: (await counts()).cpuSeconds }
  } finally {
    await Promise.all(workers.map(worker => worker.stop()))
    await rm(directory, { recursive: true, force: true })
  }
}

function sumOf(answers: readonly SpreadAnswer[]): SpreadCounts {
  const sum: SpreadCounts = { bounds: [], counts: [], maxMs: 0, cpuSeconds: 0 }
  for (const { counts } of answers) {
    if (counts === undefined) throw new Error('the cluster did not answer with its counts')
    sum.bounds = counts.bounds
    for (const [index, count] of counts.counts.entries()) sum.counts[index] = (sum.counts[index] ?? 0) + count
    sum.maxMs = Math.max(sum.maxMs, counts.maxMs)
    sum.cpuSeconds += counts.cpuSeconds
  }
  return sum
}

async function measureSpread(context: RunContext, processes: number): Promise<Measurement> {
  return await withCluster(context, processes, async cluster => {
    // Code that runs for the first time is no part of the spread.
    await cluster.spread({ prefix: 'warm-up', barrier: 'local', probesAfterMs: [] })
    const before = await settledCounts(cluster)
    let after = before
    const startMs = performance.now()
    const spec = { prefix: 'local', barrier: 'local', probesAfterMs: [] } as const
    const { changes } = await cluster.spread(spec, async () => {
      after = await cluster.counts()
    })
    const seconds = (performance.now() - startMs) / 1000
    const counts = after.counts.map((count, index) => count - (before.counts[index] ?? 0))
    const bounds = [...after.bounds, Number.POSITIVE_INFINITY].map(bound => Math.min(bound, after.maxMs))
    const batches = counts.reduce((sum, count) => sum + count, 0)
    const all = await cluster.spread({ prefix: 'all', barrier: 'all', probesAfterMs: [] })
    return {
      metrics: {
        spreadP99: percentileOf(bounds, counts, 99),
        spreadP50: percentileOf(bounds, counts, 50),
        spreadMax: percentileOf(bounds, counts, 100),
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

/** When what went with the clients of the run before, at all nodes at once, has reached all nodes. */
async function settledCounts(cluster: Cluster): Promise<SpreadCounts> {
  let counts = await cluster.counts()
  for (;;) {
    await new Promise(resolve => setTimeout(resolve, quietMs))
    const next = await cluster.counts()
    if (next.counts.every((count, index) => count === counts.counts[index])) return next
    counts = next
  }
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
  return await withCluster(context, 1, async cluster => {
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

const changesMade = `${changesPerSecond} new subscriptions a second, at each node in turn, every fourth with a wildcard`
const cluster = `${nodeCount} complete nodes in one process; ${changesMade}`
const judged =
  "by the nodes' own histogram from a change until it is applied on all (bounds of its classes), then from SUBSCRIBE to SUBACK with barrier all"

const spreadMetrics: Scenario['metrics'] = [
  { key: 'spreadP99', title: 'p99 (class)', unit: 'ms', better: 'lower' },
  { key: 'spreadP50', title: 'p50 (class)', unit: 'ms', better: 'lower' },
  { key: 'spreadMax', title: 'max (class)', unit: 'ms', better: 'lower' },
  { key: 'batches', title: 'batches', unit: '' },
  { key: 'subackP50', title: 'SUBACK at all: p50', unit: 'ms', better: 'lower' },
  { key: 'subackP99', title: 'p99', unit: 'ms', better: 'lower' },
  { key: 'subackMax', title: 'max', unit: 'ms', better: 'lower' },
  { key: 'refused', title: 'refused', unit: '' },
  { key: 'brokerCores', title: 'nodes', unit: 'cores' },
]

/** How fast subscriptions reach all nodes, and what is missed until they do. */
export const spreadScenarios: readonly Scenario[] = [
  {
    id: 'mesh-spread',
    group: 'mesh',
    title: 'Spread of subscriptions',
    description: `${cluster}; ${judged}`,
    metrics: spreadMetrics,
    budgets: [{ kind: 'at-most', value: 100 }],
    against: 'own',
    contestant: `${nodeCount} nodes`,
    measure: async context => await measureSpread(context, 1),
  },
  {
    id: 'mesh-spread-processes',
    group: 'mesh',
    title: 'Spread of subscriptions, nodes in four processes',
    description: `${nodeCount} complete nodes, five in a process, on one etcd, all on both cores; ${changesMade}; ${judged}`,
    metrics: spreadMetrics,
    budgets: [{ kind: 'at-most', value: 100 }],
    against: 'etcd',
    contestant: `${nodeCount} nodes`,
    measure: async context => await measureSpread(context, 4),
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
    budgets: [{ kind: 'at-most', value: 0.01 }],
    against: 'own',
    contestant: `${nodeCount} nodes`,
    measure: measureMisses,
  },
]
