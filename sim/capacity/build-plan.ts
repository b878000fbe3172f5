import type { Constants } from '../constants/constants.ts'
import type { ThreadPlan } from './build-in-threads.ts'
import type { BuildTask } from './build-result.ts'
import { nodeSubscriptions, type CapacityPlan } from './capacity-plan.ts'
import { expectedStructures } from './node-load.ts'
import { MAP_ENTRIES_MAX } from './resources.ts'

/** Of heap beyond what is in use: what a collection needs, and what it has not freed yet. */
const HEAP_SLACK = 1.6
/** Of each thread, and of the process. */
const BASE_BYTES = 120e6
/** Topics tried and what is found for them. */
const PROBE_BYTES = 200e6
/** A filter's own counts and presence, beside the table it is written into: 5/8 byte per position. */
const COUNTING_SHARE = 5 / 8

export interface BuildPlan {
  readonly threads: readonly ThreadPlan[]
  /** Of the whole process at its largest, estimated. */
  readonly bytes: number
}

/** What is to be built for a plan, in two threads, and how much memory that needs. */
export function buildPlan(plan: CapacityPlan, constants: Constants): BuildPlan {
  const { workload, run } = plan
  const { nodes, wildcardFilters, sharedGroups, subscriptionsPerClient } = workload
  const { clients, exactFilters, wildcard, shared, all } = nodeSubscriptions(workload)
  const { seed } = run
  const expected = expectedStructures(workload)
  const remote: BuildTask = {
    ...{ kind: 'remote', seed, nodes, exactFilters, wildcardFilters, sharedGroups },
    ...{ wildcardSubscriptions: wildcard, sharedSubscriptions: shared },
  }
  const { distinctShare, wildcardShare, sharedShare } = workload
  // What one Map cannot hold is not built, but extrapolated.
  const sample = Math.min(run.localSample, (0.99 * MAP_ENTRIES_MAX) / Math.max(1, exactFilters))
  const sampled = Math.max(1, Math.round(clients * sample))
  const local: BuildTask = {
    ...{ kind: 'local', seed, clients: sampled, subscriptionsPerClient, distinctShare },
    ...{ wildcardShare, sharedShare, wildcardFilters, sharedGroups },
  }
  const filters = plan.sizes.map((size): BuildTask => {
    const { exactFilters: theirs } = nodeSubscriptions({ ...workload, clients: size })
    return { kind: 'filter', seed, exactFilters: theirs }
  })
  const { values } = constants
  const patternHeap =
    expected.patterns * values['node.bytesPerRemotePattern'].value +
    expected.patternsOfNodes * values['node.bytesPerRemotePatternNode'].value
  const localHeap = all * sample * values['node.bytesPerSubscription'].value + sampled * 400
  const heaps = [patternHeap * HEAP_SLACK + PROBE_BYTES, localHeap * HEAP_SLACK + PROBE_BYTES] as const
  const widest = Math.max(
    0,
    ...plan.sizes.map(size => expectedStructures({ ...workload, clients: size }).bits),
  )
  const tables = [
    expected.tableBytes + 2 ** expected.bits * COUNTING_SHARE,
    widest === 0 ? expected.ownBloomBytes : 2 ** widest * (4 + COUNTING_SHARE),
  ]
  const bytes = heaps[0] + heaps[1] + tables.reduce((sum, table) => sum + table, 0) + 3 * BASE_BYTES
  const megabytes = (heap: number): number => Math.ceil((2 * heap) / 1e6) + 256
  return {
    threads: [
      { tasks: [remote], heapMegabytesMax: megabytes(heaps[0]) },
      { tasks: [local, ...filters], heapMegabytesMax: megabytes(heaps[1]) },
    ],
    bytes,
  }
}
