import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LatencySummary } from '../../bench/load/latency-recorder.ts'
import { LoadGenerator } from '../../bench/load-generator.ts'
import type { SpreadAnswer, SpreadCounts, SpreadRequest } from '../../bench/mesh/spread-protocol.ts'
import { median } from '../../bench/report/statistics.ts'
import { RequestWorker } from '../../bench/request-worker.ts'
import type { Constants } from '../constants/constants.ts'
import { costsOf, type PointResult, type PointSettings } from '../convergence/point.ts'
import { parseScenario, pointsOf } from '../convergence/scenario.ts'
import { sweep } from '../convergence/sweep.ts'
import { untilAtRest } from './at-rest.ts'
import type { Comparison, Tolerance } from './comparison.ts'
import { pause, repeated, type Lab } from './lab.ts'
import type { Reading } from './reading.ts'

interface GossipCase {
  readonly nodes: number
  readonly changesPerSecond: number
  readonly compared: readonly (keyof GossipFigures)[]
}

interface GossipFigures {
  readonly p50: number
  readonly p95: number
  readonly cores: number
}

const SIZES = [5, 20] as const
/**
 * The higher rate first, since code that is new takes time of its own, which few changes do not hide. 200 changes at it: any one
 * stall of a machine is in their 99th percentile, but not in their 95th.
 */
const WINDOWS = [
  { changesPerSecond: 20, forMs: 10_000, compared: ['p50', 'p95', 'cores'] },
  { changesPerSecond: 5, forMs: 10_000, compared: ['p50', 'cores'] },
] as const

/** A process that was busy collects its garbage some seconds later, at the cost of several seconds' changes. */
const SETTLE_MS = 8000

/**
 * What the production code's own steps cost is fitted to one case (`readChanges`), and rarer changes cost more than that, by the
 * caches they find cold.
 */
const TOLERANCES: Readonly<Record<keyof GossipFigures, Tolerance>> = {
  p50: { better: 0.4, worse: 1, floor: 1 },
  p95: { better: 0.4, worse: 1.5, floor: 1 },
  cores: { better: 0.5, worse: 1, floor: 0.02 },
}

/** Of real nodes, in each repetition, by case. */
export type RealGossip = readonly (readonly GossipFigures[])[]

const cases: readonly GossipCase[] = SIZES.flatMap(nodes => WINDOWS.map(window => ({ nodes, ...window })))

/** Subscriptions that wait until all nodes have applied them: real ones, in one process. */
export async function realGossip(lab: Lab): Promise<RealGossip> {
  return await repeated(lab, async round => {
    const figures: GossipFigures[] = []
    for (const nodes of SIZES) {
      lab.progress(`gossip: ${nodes} real nodes, run ${round + 1} of ${lab.repetitions}`)
      figures.push(...(await realFigures(lab, nodes)))
    }
    return figures
  })
}

/** What costs of operations do not explain is taken from the real nodes in one case; all others are predicted. */
const FITTED = cases.findIndex(({ nodes, changesPerSecond }) => nodes === 5 && changesPerSecond === 20)

/**
 * By how much the slowest twentieth of subscriptions is later than the median. Pauses are twice that, since what comes during one
 * waits for half of it on average.
 */
export function readPauses(real: RealGossip): Reading {
  const { nodes, changesPerSecond } = cases[FITTED] as GossipCase
  return {
    name: 'gossip.pauseMsPerNode',
    runs: real.map(figures => {
      const { p50, p95 } = figures[FITTED] as GossipFigures
      return (2 * (p95 - p50)) / nodes
    }),
    how: `twice what separates median and 95th percentile of subscriptions on ${nodes} real nodes at ${changesPerSecond} changes/s, by node`,
  }
}

/** What a change costs at a node beside its messages: what is left of the real nodes' time in one case, which says nothing of others. */
export async function readChanges(lab: Lab, constants: Constants, real: RealGossip): Promise<Reading> {
  lab.progress('gossip: simulated nodes that do nothing with what they hear')
  const fitted = cases[FITTED] as GossipCase
  const [model] = await sweep([pointOf(fitted)], {
    ...{
      costs: { ...costsOf(constants), gossipChangeMs: 0 },
      threads: 2,
      onProgress: () => {},
      signal: lab.signal,
    },
  })
  const { cores } = figuresOf(model)
  const { nodes, changesPerSecond } = fitted
  return {
    name: 'gossip.cpuUsPerChange',
    runs: real.map(figures => {
      const rest = (figures[FITTED]?.cores ?? Number.NaN) - cores
      return Math.max(1, (1e6 * rest) / (nodes * changesPerSecond))
    }),
    how: `what ${nodes} real nodes at ${changesPerSecond} changes/s take beyond the model without it`,
  }
}

/** Real nodes beside as many simulated ones on one core. */
export async function compareGossip(lab: Lab, constants: Constants, real: RealGossip): Promise<Comparison[]> {
  lab.progress('gossip: simulated nodes')
  const models = await sweep(cases.map(pointOf), {
    ...{ costs: costsOf(constants), threads: 2, onProgress: () => {}, signal: lab.signal },
  })
  const comparisons: Comparison[] = []
  for (const [index, { nodes, changesPerSecond, compared }] of cases.entries()) {
    const model = figuresOf(models[index])
    const what = `subscription on all of ${nodes} nodes, ${changesPerSecond} a second`
    for (const figure of compared) {
      comparisons.push({
        subject: 'gossip',
        what: figure === 'cores' ? `the same: cores of all nodes` : `${what}: ${figure}`,
        unit: figure === 'cores' ? 'cores' : 'ms',
        model: model[figure],
        real: median(real.map(figures => figures[index]?.[figure] ?? Number.NaN)),
        tolerance: TOLERANCES[figure],
      })
    }
  }
  return comparisons
}

/** At each of the rates. */
async function realFigures(lab: Lab, nodes: number): Promise<GossipFigures[]> {
  const { cores, signal } = lab
  const directory = await mkdtemp(join(tmpdir(), 'grapevine-calibrate-'))
  const cluster = new RequestWorker<SpreadRequest, SpreadAnswer>({
    ...{ importer: import.meta.url, script: '../../bench/mesh/spread-process' },
    args: [directory, nodes, 0, nodes - 1].map(String),
    // Not pinned: what other threads than the nodes' own do, collecting garbage and the like, would be in its way.
    ...{ core: null, signal },
  })
  const load = new LoadGenerator(cores?.load ?? null, signal)
  const counts = async (): Promise<SpreadCounts> => {
    const answer = await cluster.request({ kind: 'counts' })
    if (answer.counts === undefined) throw new Error('the nodes did not answer with their counts')
    return answer.counts
  }
  try {
    const { ports = [], adminUrls = [] } = await cluster.request({ kind: 'ports' })
    await untilAtRest(lab, adminUrls)
    const spread = async (prefix: string, changesPerSecond: number, measureMs: number) => {
      const result = await load.request({
        ...{ kind: 'spread', target: { ports }, timing: { warmupMs: 0, measureMs } },
        spec: { prefix, barrier: 'all', changesPerSecond, probesAfterMs: [] },
      })
      return result
    }
    const closed = async (): Promise<void> => {
      await load.request({ kind: 'spread-close' })
      // The subscriptions that end with their clients are changes, too.
      await pause(1000)
    }
    // Code that runs for the first time is no part of the spread.
    await spread('warm-up', 20, 2000)
    await closed()
    await pause(SETTLE_MS)
    const figures: GossipFigures[] = []
    for (const { changesPerSecond, forMs } of WINDOWS) {
      const before = await counts()
      const startMs = performance.now()
      const { suback } = await spread(`rate-${changesPerSecond}`, changesPerSecond, lab.size * forMs)
      const seconds = (performance.now() - startMs) / 1000
      const cpuSeconds = (await counts()).cpuSeconds - before.cpuSeconds
      await closed()
      figures.push({ p50: suback.p50Ms, p95: at95(suback), cores: cpuSeconds / seconds })
    }
    return figures
  } finally {
    await Promise.all([load.stop(), cluster.stop()])
    await rm(directory, { recursive: true, force: true })
  }
}

function at95({ curve }: LatencySummary): number {
  return curve.find(([percent]) => percent === 95)?.[1] ?? Number.NaN
}

/** Where barriers of all time out the nodes have more to do than their core can, and the model has no figure. */
function figuresOf(result: PointResult | undefined): GossipFigures {
  if (result?.fault !== undefined || result === undefined || result.suback.all.count === 0)
    return { p50: Number.NaN, p95: Number.NaN, cores: result?.cpu.mean ?? Number.NaN }
  return { p50: result.suback.all.p50, p95: result.suback.all.p95, cores: result.cpu.mean }
}

/** As the real ones: all on one core, and everything else as it is by default. */
function pointOf({ nodes, changesPerSecond }: GossipCase): PointSettings {
  const scenario = parseScenario({
    ...{ seed: 1, seconds: 60, nodes, nodesPerCore: nodes, changesPerSecond },
    ...{ profile: 'this-machine', arrivals: 'even', filtersPerNode: 0 },
  })
  const [point] = 'seed' in scenario ? pointsOf(scenario) : []
  if (point === undefined) throw new Error(`there is no such scenario: ${JSON.stringify(scenario)}`)
  return point
}
