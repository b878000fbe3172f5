/**
 * What `grapevine sim capacity` does, with its result as a value: the command line only prints.
 *
 * The result is a function of the plan, the constants and what was built; times and heap, which differ from run to run, are apart.
 */
import { GrapevineError } from '../../src/core/errors.ts'
import type { Constants } from '../constants/constants.ts'
import { buildInThreads } from './build-in-threads.ts'
import { buildPlan } from './build-plan.ts'
import type { BuildResult, FilterResult, LocalResult, RemoteResult } from './build-result.ts'
import type { CapacityPlan } from './capacity-plan.ts'
import { storeFigures, type StoreFigures } from './coordination-load.ts'
import { expectedStructures, type Structures } from './node-load.ts'
import { claimsLimit, clientsWhenFull, loadOf, type Load, type Resource } from './resources.ts'

export interface CapacityResult {
  readonly plan: CapacityPlan
  /** False: interrupted, and something was not built. */
  readonly isComplete: boolean
  readonly remote: Omit<RemoteResult, 'measured'> | undefined
  readonly local: Omit<LocalResult, 'measured'> | undefined
  readonly filters: readonly Omit<FilterResult, 'measured'>[]
  readonly store: StoreFigures
  /** The workload's own, then those of the sizes. */
  readonly loads: readonly Load[]
  /** Resources beyond their limit at each of those, the one furthest beyond first. */
  readonly walls: readonly { readonly clients: number; readonly beyond: readonly string[] }[]
  /** Clients at which each resource is full, everything else as in the workload; null: never. */
  readonly fullAt: readonly { readonly resource: string; readonly clients: number | null }[]
}

/** Of this run, on this machine. */
export interface CapacityMeasurements {
  readonly remote: RemoteResult['measured'] | undefined
  readonly local: LocalResult['measured'] | undefined
  readonly filters: readonly FilterResult['measured'][]
}

export interface CapacityRun {
  readonly result: CapacityResult
  readonly measured: CapacityMeasurements
}

export interface CapacityOptions {
  readonly constants: Constants
  /** Bytes the run may take. */
  readonly memoryMaxBytes: number
  readonly onProgress: (share: number) => void
  readonly signal: AbortSignal
}

/** Throws CONFIG_INVALID, before anything is built, when that needs more memory than there is. */
export async function runCapacity(plan: CapacityPlan, options: CapacityOptions): Promise<CapacityRun> {
  const { constants, memoryMaxBytes, onProgress, signal } = options
  const { threads, bytes } = buildPlan(plan, constants)
  if (bytes > memoryMaxBytes) {
    throw new GrapevineError(
      'CONFIG_INVALID',
      `the run needs about ${gigabytes(bytes)} of memory and may take ${gigabytes(memoryMaxBytes)}; build less ` +
        '(--local-sample 0.1, fewer --sizes or --clients), run it on a larger machine, or allow more with --memory-max',
    )
  }
  const [first = [], second = []] = await buildInThreads(threads, onProgress, signal)
  const built = [...first, ...second].filter(result => result !== undefined)
  return assemble(plan, constants, built, built.length === first.length + second.length)
}

/** What follows from what was built. */
export function assemble(
  plan: CapacityPlan,
  constants: Constants,
  built: readonly BuildResult[],
  isComplete: boolean,
): CapacityRun {
  const remote = built.find(result => result.kind === 'remote')
  const local = built.find(result => result.kind === 'local')
  const filters = built.filter(result => result.kind === 'filter')
  const loads = [
    loadOf(plan, constants, remote && builtStructures(plan, remote)),
    ...plan.sizes.map(clients => {
      const at = { ...plan, workload: { ...plan.workload, clients } }
      const expected = expectedStructures(at.workload)
      const filter = filters.find(({ exactFilters }) => exactFilters === expected.exactFiltersPerNode)
      return loadOf(at, constants, filter && withFilter(at, expected, filter))
    }),
  ]
  const result: CapacityResult = {
    plan,
    isComplete,
    remote: remote && withoutMeasured(remote),
    local: local && withoutMeasured(local),
    filters: filters.map(withoutMeasured),
    store: storeFigures(plan.workload, claimsLimit(plan, constants)),
    loads,
    walls: loads.map(({ clients, resources }) => ({
      clients,
      beyond: resources
        .filter(({ verdict }) => verdict === 'bad')
        .sort((a, b) => b.use / b.limit - a.use / a.limit)
        .map(({ name }) => name),
    })),
    fullAt: fullAt(plan, constants, loads[0]?.resources ?? []),
  }
  const measured = {
    remote: remote?.measured,
    local: local?.measured,
    filters: filters.map(filter => filter.measured),
  }
  return { result, measured }
}

/** In the order of `resources`. */
function fullAt(
  plan: CapacityPlan,
  constants: Constants,
  resources: readonly Resource[],
): CapacityResult['fullAt'] {
  const found = clientsWhenFull(plan, constants)
  return resources.map(({ name }) => {
    const clients = found.get(name) ?? Infinity
    return { resource: name, clients: Number.isFinite(clients) ? clients : null }
  })
}

function builtStructures({ workload }: CapacityPlan, remote: RemoteResult): Structures {
  const { exactFilters, bits, tableBytes, patterns, patternsOfNodes, wasted, strays } = remote
  return {
    ...expectedStructures(workload),
    ...{ basis: 'built', exactFiltersPerNode: exactFilters, bits, tableBytes, patterns, patternsOfNodes },
    wastedPerMessage: wasted / strays,
  }
}

function withFilter({ workload }: CapacityPlan, expected: Structures, filter: FilterResult): Structures {
  const { bits, wasted, strays } = filter
  return {
    ...expected,
    basis: 'filter built',
    bits,
    wastedPerMessage: ((workload.nodes - 1) * wasted) / strays,
  }
}

function withoutMeasured<T extends BuildResult>({ measured: _, ...rest }: T): Omit<T, 'measured'> {
  return rest
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`
}

/** One document, the same for the same seed, plan and constants. */
export function capacityJson({ result }: CapacityRun, { values }: Constants): object {
  const costs = Object.entries(values).map(([name, { value, origin }]) => [name, { value, origin }])
  return { command: 'sim capacity', ...result, constants: Object.fromEntries(costs) as object }
}
