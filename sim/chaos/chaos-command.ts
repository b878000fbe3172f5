/** What `grapevine sim chaos` and `grapevine sim replay` do, with text and JSON as values: the command line only prints. */
import { SimulationPool } from '../world/simulation-pool.ts'
import type { ChaosOptions, ChaosResult } from './chaos-run.ts'
import { describeFault } from './fault-plan.ts'
import { shrink } from './shrink.ts'

/** Beside this file, with its extension: .ts in the sources, .js when built. */
const threadScript = new URL(import.meta.url.replace('chaos-command', 'chaos-thread'))
/** Seeds begun per thread before an earlier one has ended: a failure that is being shortened holds nobody up. */
const BEGUN_PER_THREAD = 4

export interface ChaosPlan extends Omit<ChaosOptions, 'seed' | 'isDetailed'> {
  readonly from: number
  readonly seeds: number
  /** Whether the schedules of failures are shortened. */
  readonly isShrinking: boolean
  /** Of the code, as printed with a failure. */
  readonly commit: string
  /** How many seeds run at once; the results do not depend on it. */
  readonly threads: number
}

export interface ChaosSummary {
  /** Run to their end. */
  readonly seeds: number
  readonly seedsAsked: number
  /** It was told to stop before all were run. */
  readonly isInterrupted: boolean
  readonly failed: readonly SeedFailure[]
  readonly publishes: number
  readonly deliveries: number
  readonly virtualMs: number
}

interface SeedFailure {
  readonly seed: number
  readonly commit: string
  readonly traceHash: string
  readonly violations: readonly {
    readonly checker: string
    readonly invariant: number
    readonly count: number
    readonly first: string
  }[]
  /** Indices of the faults that are enough for it to fail; absent without shrinking. */
  readonly faults?: readonly number[]
  readonly replay: string
}

/** Runs seeds; `onSeed` hears of each in order, with its failure if it failed. `signal` ends it with what it has by then. */
export async function chaos(
  plan: ChaosPlan,
  onSeed: (result: ChaosResult, failure: SeedFailure | undefined) => void,
  signal?: AbortSignal,
): Promise<ChaosSummary> {
  const pool = new SimulationPool<ChaosOptions, ChaosResult>(threadScript, plan.threads, signal)
  const runs = (options: ChaosOptions): Promise<ChaosResult> => pool.run(options)
  const failed: SeedFailure[] = []
  const begun: Promise<SeedRun>[] = []
  const sums = { seeds: 0, publishes: 0, deliveries: 0, virtualMs: 0 }
  const end = plan.from + plan.seeds
  try {
    for (let next = plan.from; ;) {
      while (next < end && begun.length < plan.threads * BEGUN_PER_THREAD) {
        const run = runSeed(plan, next++, runs)
        // It is awaited in its turn, after others.
        run.catch(() => undefined)
        begun.push(run)
      }
      const first = begun.shift()
      if (first === undefined) break
      const { result, failure } = await first
      sums.seeds++
      sums.publishes += result.publishes
      sums.deliveries += result.deliveries
      sums.virtualMs += result.virtualMs
      if (failure !== undefined) failed.push(failure)
      onSeed(result, failure)
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error
  } finally {
    await pool.close()
  }
  const { seeds: seedsAsked } = plan
  return { ...sums, seedsAsked, isInterrupted: sums.seeds < seedsAsked, failed }
}

/** One run with everything kept that a reader of its timeline wants. */
export async function replay(options: ChaosOptions, signal?: AbortSignal): Promise<ChaosResult> {
  const pool = new SimulationPool<ChaosOptions, ChaosResult>(threadScript, 1, signal)
  try {
    return await pool.run(options)
  } finally {
    await pool.close()
  }
}

interface SeedRun {
  readonly result: ChaosResult
  readonly failure: SeedFailure | undefined
}

async function runSeed(
  plan: ChaosPlan,
  seed: number,
  run: (options: ChaosOptions) => Promise<ChaosResult>,
): Promise<SeedRun> {
  const { nodes, minutes, isRoaming, isOperated, keptFaults } = plan
  const options = { seed, nodes, minutes, isRoaming, isOperated, keptFaults }
  const result = await run(options)
  if (result.violations.length === 0) return { result, failure: undefined }
  const faults = plan.isShrinking ? await shrink(options, result, run) : undefined
  return { result, failure: failureOf(plan, result, faults) }
}

/** Lines for a person. */
export function describeFailure({ seed, commit, violations, faults, replay }: SeedFailure): string {
  const lines = violations.map(
    ({ checker, invariant, count, first }) =>
      `  invariant ${invariant} (${checker}), ${count} time${count === 1 ? '' : 's'}: ${first}`,
  )
  const shrunk = faults === undefined ? [] : [`  needs of its faults only: ${faults.join(', ') || 'none'}`]
  return [`seed ${seed} failed at commit ${commit}`, ...lines, ...shrunk, `  replay: ${replay}`].join('\n')
}

/** One line, or two when it was cut short: what has not been run says nothing. */
export function describeSummary(summary: ChaosSummary): string {
  const { seeds, seedsAsked, isInterrupted, failed, publishes, deliveries, virtualMs } = summary
  const counts =
    `${seeds} seeds, ${failed.length} failed; ${Math.round(virtualMs / 60_000)} virtual minutes, ` +
    `${publishes} messages published, ${deliveries} delivered`
  return isInterrupted
    ? `interrupted: ${seeds} of ${seedsAsked} seeds were run, the others were not\n${counts}`
    : counts
}

/** The timeline of one run of the code of `commit`, with the violations where they showed. */
export function describeRun(
  { seed, faults, violations, timeline, traceHash, virtualMs }: ChaosResult,
  commit: string,
): string {
  const plan = faults.map(
    (fault, index) => `  ${index}. at ${(fault.atMs / 1000).toFixed(2)} s ${describeFault(fault)}`,
  )
  const verdict = violations.map(
    ({ checker, invariant, atMs, detail }) =>
      `${(atMs / 1000).toFixed(3).padStart(9)}  invariant ${invariant} (${checker}): ${detail}`,
  )
  return [
    `seed ${seed} at commit ${commit}: faults`,
    ...plan,
    'timeline (virtual seconds)',
    ...timeline,
    violations.length === 0 ? 'no violation' : `${violations.length} violations`,
    ...verdict,
    `${(virtualMs / 1000).toFixed(0)} virtual seconds, trace ${traceHash}`,
  ].join('\n')
}

function failureOf(
  plan: ChaosPlan,
  { seed, traceHash, violations }: ChaosResult,
  faults: readonly number[] | undefined,
): SeedFailure {
  const byChecker = Map.groupBy(violations, ({ checker }) => checker)
  const kept = faults ?? plan.keptFaults
  const options = [
    ...(plan.nodes === 3 ? [] : [`--nodes ${plan.nodes}`]),
    ...(plan.minutes === 1 ? [] : [`--minutes ${plan.minutes}`]),
    ...(plan.isRoaming ? [] : ['--clients sticky']),
    ...(plan.isOperated === true ? ['--operator'] : []),
    ...(kept === undefined ? [] : [`--faults ${kept.join(',') || 'none'}`]),
  ]
  return {
    seed,
    commit: plan.commit,
    traceHash,
    violations: Array.from(byChecker, ([checker, [first, ...more]]) => ({
      checker,
      invariant: first?.invariant ?? 0,
      count: 1 + more.length,
      first: first?.detail ?? '',
    })),
    ...(faults !== undefined && { faults }),
    replay: ['grapevine sim replay', String(seed), ...options].join(' '),
  }
}
