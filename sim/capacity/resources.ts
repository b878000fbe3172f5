/**
 * Everything a cluster can run out of, as used by a workload, against its limit. Decides good, warn or bad and nothing else; how
 * it looks is the report's business.
 */
import { IN_USE_MAX } from '../../coordination/store-size.ts'
import type { Constants } from '../constants/constants.ts'
import { nodeSubscriptions, type CapacityPlan } from './capacity-plan.ts'
import {
  coordinationLoad,
  reconnectProfiles,
  type CoordinationLoad,
  type ReconnectProfile,
} from './coordination-load.ts'
import { gossipLoad, type GossipLoad } from './gossip-load.ts'
import {
  expectedStructures,
  nodeDisk,
  nodeMemory,
  nodeProcessor,
  nodeTraffic,
  RETAINED_INLINE_BYTES_MAX,
  sumOf,
  type NodeMemory,
  type NodeProcessor,
  type NodeTraffic,
  type Structures,
} from './node-load.ts'

/** Entries V8 lets a Map have: the index of exact filters is one. */
export const MAP_ENTRIES_MAX = 2 ** 24
/** Above this share of a limit a resource is tight. */
const TIGHT = 0.7

export type Unit = 'bytes' | 'cores' | 'bits/s' | 'per second' | 'filters' | 'per 100'

export interface Resource {
  readonly name: string
  /** Each node has its own, or there is one for the cluster. */
  readonly scope: 'node' | 'etcd'
  readonly use: number
  readonly limit: number
  readonly unit: Unit
  readonly verdict: 'good' | 'warn' | 'bad'
  readonly note: string
}

export interface ProfileLoad {
  readonly profile: ReconnectProfile
  readonly coordination: CoordinationLoad
  readonly gossip: GossipLoad
  readonly traffic: NodeTraffic
  readonly processor: NodeProcessor
}

/** What a number of clients makes of a cluster. */
export interface Load {
  readonly clients: number
  readonly structures: Structures
  readonly memory: NodeMemory
  readonly disk: Readonly<Record<string, number>>
  readonly profiles: readonly ProfileLoad[]
  readonly resources: readonly Resource[]
}

export function loadOf(plan: CapacityPlan, constants: Constants, built?: Structures): Load {
  const { workload, limits } = plan
  const structures = built ?? expectedStructures(workload)
  const memory = nodeMemory(workload, limits, structures, constants)
  const disk = nodeDisk(workload, constants)
  const profiles = reconnectProfiles.map((profile): ProfileLoad => {
    const coordination = coordinationLoad(workload, profile, constants)
    const gossip = gossipLoad(workload, coordination, constants)
    const traffic = nodeTraffic(workload, structures, gossip.bytesPerSecond)
    const processor = nodeProcessor(workload, traffic, coordination, gossip, constants)
    return { profile, coordination, gossip, traffic, processor }
  })
  const load = { clients: workload.clients, structures, memory, disk, profiles }
  return { ...load, resources: resourcesOf(plan, constants, load) }
}

/** Claims a second the store can take: as told, or as measured. */
export function claimsLimit({ limits }: CapacityPlan, { values }: Constants): number {
  return limits.claimsPerSecond || values['etcd.claimsPerSecondBatched'].value
}

/**
 * The least number of clients at which each resource of `loadOf` is beyond its limit, by name; Infinity where none is. Uses need
 * not rise evenly: bloom filters grow in steps.
 */
export function clientsWhenFull(plan: CapacityPlan, constants: Constants): ReadonlyMap<string, number> {
  const usesAt = (clients: number): readonly Resource[] =>
    loadOf({ ...plan, workload: { ...plan.workload, clients } }, constants).resources
  const found = new Map<string, number>()
  let before = plan.workload.nodes
  for (let clients = before; clients <= CLIENTS_MAX; clients *= STEP) {
    for (const [index, { name, use, limit }] of usesAt(clients).entries()) {
      if (use <= limit || found.has(name)) continue
      const isBeyond = (candidate: number): boolean => {
        const resource = usesAt(candidate)[index]
        return resource !== undefined && resource.use > resource.limit
      }
      found.set(name, bisected(before, clients, isBeyond))
    }
    before = clients
  }
  for (const { name } of usesAt(before)) if (!found.has(name)) found.set(name, Infinity)
  return found
}

const CLIENTS_MAX = 1e12
const STEP = 1.1

/** Where it begins, to a thousandth: not yet at `low`, at `high`. */
function bisected(low: number, high: number, isBeyond: (clients: number) => boolean): number {
  while (high / low > 1.001) {
    const middle = Math.sqrt(low * high)
    if (isBeyond(middle)) high = middle
    else low = middle
  }
  return Math.round(high)
}

function resourcesOf(plan: CapacityPlan, constants: Constants, load: Omit<Load, 'resources'>): Resource[] {
  const { workload, limits } = plan
  const { structures, profiles } = load
  const [usual] = profiles
  const found: Resource[] = []
  const add = (
    name: string,
    scope: Resource['scope'],
    unit: Unit,
    use: number,
    limit: number,
    note: string,
  ): void => {
    const verdict = use <= limit * TIGHT ? 'good' : use <= limit ? 'warn' : 'bad'
    found.push({ name, scope, unit, use, limit, verdict, note })
  }
  const { retained, ...rest } = load.memory
  const memoryMax = limits.memoryPerNodeGb * 1e9
  add(
    'memory without retained messages',
    'node',
    'bytes',
    sumOf(rest),
    memoryMax,
    'clients, sessions, routing',
  )
  add(
    'memory of retained messages',
    'node',
    'bytes',
    retained,
    memoryMax,
    `payloads above ${RETAINED_INLINE_BYTES_MAX} B are on two nodes, all else is on every one`,
  )
  add('memory', 'node', 'bytes', sumOf(load.memory), memoryMax, 'both together')
  for (const { profile, processor } of profiles)
    add(
      `processor (${profile})`,
      'node',
      'cores',
      sumOf(processor),
      limits.coresPerNode,
      processorNote(processor),
    )
  const networkMax = limits.networkPerNodeMbit * 1e6
  add(
    'network in',
    'node',
    'bits/s',
    (usual?.traffic.bytesIn ?? 0) * 8,
    networkMax,
    'clients, forwards, gossip',
  )
  add(
    'network out',
    'node',
    'bits/s',
    (usual?.traffic.bytesOut ?? 0) * 8,
    networkMax,
    'deliveries, forwards, gossip',
  )
  add('disk', 'node', 'bytes', sumOf(load.disk), limits.diskPerNodeGb * 1e9, 'sessions, queues, retained')
  const { exactFilters } = nodeSubscriptions(workload)
  add('filters in one index', 'node', 'filters', exactFilters, MAP_ENTRIES_MAX, 'a Map of V8 takes no more')
  const wasted = structures.wastedPerMessage * 100
  add(
    'wasted forwards',
    'node',
    'per 100',
    wasted,
    limits.wastedMax,
    'per 100 messages; bloom filters of 2^26 positions at most',
  )
  const quota = limits.etcdQuotaGb * 1e9 * IN_USE_MAX
  const claimsMax = claimsLimit(plan, constants)
  for (const { profile, coordination } of profiles) {
    const { databaseBytes, claimsPerSecond, releasesPerSecond } = coordination
    const writes = claimsPerSecond + releasesPerSecond
    add(`etcd claims (${profile})`, 'etcd', 'per second', writes, claimsMax, 'claims and releases')
    add(
      `etcd size (${profile})`,
      'etcd',
      'bytes',
      databaseBytes,
      quota,
      '80 % of the quota: then new sessions are refused',
    )
  }
  add(
    'etcd memory',
    'etcd',
    'bytes',
    profiles[0]?.coordination.memoryBytes ?? 0,
    limits.etcdMemoryGb * 1e9,
    'of each member',
  )
  return found
}

/** Its largest use. */
function processorNote(processor: NodeProcessor): string {
  const [first] = Object.entries(processor).sort(([, a], [, b]) => b - a)
  return first === undefined ? '' : `most of it: ${first[0]}`
}
