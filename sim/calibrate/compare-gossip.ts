import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LoadGenerator } from '../../bench/load-generator.ts'
import type { SpreadAnswer, SpreadCounts, SpreadRequest } from '../../bench/mesh/spread-protocol.ts'
import { median } from '../../bench/report/statistics.ts'
import { RequestWorker } from '../../bench/request-worker.ts'
import type { Constants } from '../constants/constants.ts'
import { costsOf, type PointResult, type PointSettings } from '../convergence/point.ts'
import { parseScenario, pointsOf } from '../convergence/scenario.ts'
import { sweep } from '../convergence/sweep.ts'
import type { Comparison, Tolerance } from './comparison.ts'
import { repeated, type Lab } from './lab.ts'
import type { Reading } from './reading.ts'

interface GossipCase {
  readonly nodes: number
  readonly changesPerSecond: number
}

interface GossipFigures {
  readonly p50: number
  readonly p99: number
  readonly cores: number
}

const SIZES = [5, 10, 20] as const
const RATES = [5, 20] as const
/** Changes of which a 99th percentile says something. */
const CHANGES = 100

/** The 99th percentile of so few changes is that of one: rather worse than the real one than better. The rest as repeated runs had it. */
const TOLERANCES: Readonly<Record<keyof GossipFigures, Tolerance>> = {
  p50: { better: 0.5, worse: 1, floor: 5 },
  p99: { better: 0.5, worse: 4 },
  cores: { better: 0.5, worse: 0.5, floor: 0.1 },
}

/** Of real nodes, in each repetition, by case. */
export type RealGossip = readonly (readonly GossipFigures[])[]

const cases: readonly GossipCase[] = SIZES.flatMap(nodes =>
  RATES.map(changesPerSecond => ({ nodes, changesPerSecond })),
)

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

/**
 * What the costs of operations do not explain: the real ones' 99th percentile less their median. The model's pauses are twice that, so
 * that it never looks better where it counts.
 */
export function readPauses(real: RealGossip): Reading {
  const perNode = ({ p50, p99 }: GossipFigures, { nodes }: GossipCase): number => (2 * (p99 - p50)) / nodes
  return {
    name: 'gossip.pauseMsPerNode',
    runs: real.map(figures =>
      Math.max(...cases.map((each, index) => perNode(figures[index] as GossipFigures, each))),
    ),
    how: `twice what separates median and 99th percentile of subscriptions on ${SIZES.join(', ')} real nodes, the most of all sizes and rates`,
  }
}

/** Real nodes beside as many simulated ones on one core. */
export async function compareGossip(lab: Lab, constants: Constants, real: RealGossip): Promise<Comparison[]> {
  lab.progress('gossip: simulated nodes')
  const models = await sweep(cases.map(pointOf), {
    ...{ costs: costsOf(constants), threads: 2, onProgress: () => {}, signal: lab.signal },
  })
  const comparisons: Comparison[] = []
  for (const [index, { nodes, changesPerSecond }] of cases.entries()) {
    const model = figuresOf(models[index])
    const what = `subscription on all of ${nodes} nodes, ${changesPerSecond} a second`
    for (const figure of ['p50', 'p99', 'cores'] as const) {
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
    ...{ core: cores?.broker ?? null, signal },
  })
  const load = new LoadGenerator(cores?.load ?? null, signal)
  const counts = async (): Promise<SpreadCounts> => {
    const answer = await cluster.request({ kind: 'counts' })
    if (answer.counts === undefined) throw new Error('the nodes did not answer with their counts')
    return answer.counts
  }
  try {
    const { ports = [] } = await cluster.request({ kind: 'ports' })
    const spread = async (prefix: string, changesPerSecond: number, measureMs: number) => {
      const result = await load.request({
        ...{ kind: 'spread', target: { ports }, timing: { warmupMs: 0, measureMs } },
        spec: { prefix, barrier: 'all', changesPerSecond, probesAfterMs: [] },
      })
      return result
    }
    // Code that runs for the first time is no part of the spread.
    await spread('warm-up', 20, 2000)
    await load.request({ kind: 'spread-close' })
    const figures: GossipFigures[] = []
    for (const changesPerSecond of RATES) {
      const before = await counts()
      const startMs = performance.now()
      const { suback } = await spread(
        `rate-${changesPerSecond}`,
        changesPerSecond,
        durationMs(lab, changesPerSecond),
      )
      const seconds = (performance.now() - startMs) / 1000
      const cpuSeconds = (await counts()).cpuSeconds - before.cpuSeconds
      await load.request({ kind: 'spread-close' })
      figures.push({ p50: suback.p50Ms, p99: suback.p99Ms, cores: cpuSeconds / seconds })
    }
    return figures
  } finally {
    await Promise.all([load.stop(), cluster.stop()])
    await rm(directory, { recursive: true, force: true })
  }
}

/** Long enough for so many changes, but no longer than patience. */
function durationMs({ size }: Lab, changesPerSecond: number): number {
  return size * Math.min(8000, (1000 * CHANGES) / changesPerSecond)
}

/** Where barriers of all time out the nodes have more to do than their core can, and the model has no figure. */
function figuresOf(result: PointResult | undefined): GossipFigures {
  if (result?.fault !== undefined || result === undefined || result.suback.all.count === 0)
    return { p50: Number.NaN, p99: Number.NaN, cores: result?.cpu.mean ?? Number.NaN }
  return { p50: result.suback.all.p50, p99: result.suback.all.p99, cores: result.cpu.mean }
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
