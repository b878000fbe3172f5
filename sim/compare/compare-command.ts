/**
 * What `grapevine sim compare` does, with its result as a value: simulates what is ours, computes the rest, and puts both into one
 * matrix. The result is a function of the plan and the constants.
 */
import type { Constants } from '../constants/constants.ts'
import { SimulationPool } from '../world/simulation-pool.ts'
import {
  isFigure,
  properties,
  type Architecture,
  type PropertyName,
  type PropertyValue,
} from './architecture.ts'
import { serviceTime, type ClaimsResult, type ClaimsTask } from './claims-run.ts'
import type { ComparePlan } from './compare-plan.ts'
import { otherArchitectures } from './other-architectures.ts'
import { ownArchitectures } from './own-architectures.ts'
import { sharedCosts, type Simulations } from './shared-costs.ts'
import type { SpreadResult, SpreadTask } from './spread-run.ts'

/** Beside this file, with its extension: .ts in the sources, .js when built. */
const threadScript = new URL(import.meta.url.replace('compare-command', 'compare-thread'))

export interface CompareResult {
  readonly plan: ComparePlan
  /** False: interrupted before everything was simulated. */
  readonly isComplete: boolean
  readonly simulations: Simulations
  readonly architectures: readonly Architecture[]
}

export interface CompareOptions {
  readonly constants: Constants
  readonly threads: number
  /** Told when one of `total` simulations has ended. */
  readonly onProgress: (done: number, total: number) => void
  readonly signal: AbortSignal
}

export async function runCompare(plan: ComparePlan, options: CompareOptions): Promise<CompareResult> {
  const { constants } = options
  const simulations = await simulate(plan, options)
  const shared = sharedCosts(plan, constants, simulations)
  return {
    plan,
    isComplete: Object.values(simulations).every(result => result !== undefined),
    simulations,
    architectures: [...ownArchitectures(shared), ...otherArchitectures(shared)],
  }
}

async function simulate(plan: ComparePlan, options: CompareOptions): Promise<Simulations> {
  const { constants, threads, onProgress, signal } = options
  if (signal.aborted) return { batched: undefined, single: undefined, gossip: undefined, etcd: undefined }
  const pool = new SimulationPool<ClaimsTask | SpreadTask, ClaimsResult | SpreadResult>(
    threadScript,
    threads,
    signal,
  )
  let done = 0
  const run = async <R extends ClaimsResult | SpreadResult>(
    task: ClaimsTask | SpreadTask,
  ): Promise<R | undefined> => {
    try {
      const result = await pool.run(task)
      onProgress(++done, 4)
      return result as R
    } catch (error) {
      if (signal.aborted) return undefined
      throw error
    }
  }
  try {
    const [batched, single, gossip, etcd] = await Promise.all([
      run<ClaimsResult>(claimsTask(plan, constants, true)),
      run<ClaimsResult>(claimsTask(plan, constants, false)),
      run<SpreadResult>(spreadTask(plan, constants, 'gossip')),
      run<SpreadResult>(spreadTask(plan, constants, 'etcd')),
    ])
    return { batched, single, gossip, etcd }
  } finally {
    await pool.close()
  }
}

function claimsTask(plan: ComparePlan, constants: Constants, isBatched: boolean): ClaimsTask {
  const { workload, compare } = plan
  const { values } = constants
  const { needed } = sharedCosts(plan, constants, NOT_SIMULATED)
  return {
    ...{ kind: 'claims', isBatched, seed: compare.seed, nodes: workload.nodes },
    // A workload in which nobody ever claims is compared at one claim a second.
    claimsPerSecond: Math.max(1, needed.claims),
    claims: compare.simulatedClaims,
    service: serviceTime(
      values['etcd.claimsPerSecondSingle'].value,
      values['etcd.claimsPerSecondBatched'].value,
    ),
  }
}

function spreadTask({ compare }: ComparePlan, { values }: Constants, mode: SpreadTask['mode']): SpreadTask {
  const { seed, spreadNodes, spreadChanges, spreadChangesPerSecond } = compare
  const gossipHopMs = values['gossip.hopMsP50'].value
  return {
    kind: 'spread',
    mode,
    seed,
    nodes: spreadNodes,
    changes: spreadChanges,
    changesPerSecond: spreadChangesPerSecond,
    gossipHopMs,
  }
}

const NOT_SIMULATED: Simulations = {
  batched: undefined,
  single: undefined,
  gossip: undefined,
  etcd: undefined,
}

/** One document, the same for the same seed, plan and constants: the matrix by property, then by architecture. */
export function compareJson({ architectures, ...result }: CompareResult): object {
  const matrix = (Object.keys(properties) as PropertyName[]).map(property => ({
    property,
    ...properties[property],
    cells: architectures.map(({ name, cells }) => ({ architecture: name, ...documented(cells[property]) })),
  }))
  const described = architectures.map(({ name, design, needed }) => ({ name, design, needed }))
  return { command: 'sim compare', ...result, architectures: described, matrix }
}

function documented(cell: PropertyValue): object {
  return isFigure(cell) ? { ...cell, value: Number.isFinite(cell.value) ? cell.value : null } : cell
}
