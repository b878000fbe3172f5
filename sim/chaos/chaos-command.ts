/** What `grapevine sim chaos` and `grapevine sim replay` do, with text and JSON as values: the command line only prints. */
import { runChaos, type ChaosOptions, type ChaosResult } from './chaos-run.ts'
import { describeFault } from './fault-plan.ts'
import { shrink } from './shrink.ts'

export interface ChaosPlan extends Omit<ChaosOptions, 'seed' | 'keptFaults' | 'isDetailed'> {
  readonly from: number
  readonly seeds: number
  /** Whether the schedules of failures are shortened. */
  readonly isShrinking: boolean
  /** Of the code, as printed with a failure. */
  readonly commit: string
}

export interface ChaosSummary {
  readonly seeds: number
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

/** Runs seed after seed; `onSeed` hears of each, with its failure if it failed. */
export async function chaos(
  plan: ChaosPlan,
  onSeed: (result: ChaosResult, failure: SeedFailure | undefined) => void,
  signal?: AbortSignal,
): Promise<ChaosSummary> {
  const failed: SeedFailure[] = []
  let seeds = 0
  let publishes = 0
  let deliveries = 0
  let virtualMs = 0
  for (let seed = plan.from; seed < plan.from + plan.seeds && signal?.aborted !== true; seed++) {
    const options = { seed, nodes: plan.nodes, minutes: plan.minutes, isRoaming: plan.isRoaming }
    const result = await runChaos(options)
    seeds++
    publishes += result.publishes
    deliveries += result.deliveries
    virtualMs += result.virtualMs
    let failure: SeedFailure | undefined
    if (result.violations.length > 0) {
      const faults = plan.isShrinking ? await shrink(options, result) : undefined
      failure = failureOf(plan, result, faults)
      failed.push(failure)
    }
    onSeed(result, failure)
  }
  return { seeds, failed, publishes, deliveries, virtualMs }
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

/** The timeline of one run, with the violations where they showed. */
export function describeRun({
  seed,
  faults,
  violations,
  timeline,
  traceHash,
  virtualMs,
}: ChaosResult): string {
  const plan = faults.map(
    (fault, index) => `  ${index}. at ${(fault.atMs / 1000).toFixed(2)} s ${describeFault(fault)}`,
  )
  const verdict = violations.map(
    ({ checker, invariant, atMs, detail }) =>
      `${(atMs / 1000).toFixed(3).padStart(9)}  invariant ${invariant} (${checker}): ${detail}`,
  )
  return [
    `seed ${seed}: faults`,
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
  const options = [
    ...(plan.nodes === 3 ? [] : [`--nodes ${plan.nodes}`]),
    ...(plan.minutes === 1 ? [] : [`--minutes ${plan.minutes}`]),
    ...(plan.isRoaming ? [] : ['--clients sticky']),
    ...(faults === undefined ? [] : [`--faults ${faults.join(',') || 'none'}`]),
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
