/**
 * What a capacity calculation is asked: the cluster, its clients and what they do, and the limits it is held against.
 *
 * Defaults are those of the project's target, and where it says nothing those of the capacity tables it began with: one message
 * of 1 KB a minute and client, three in ten for other nodes, a retained message per client, a tenth of the sessions with ten
 * messages waiting.
 */
import { limits } from '../../src/core/limits.ts'
import { readParameters, real, refuse, whole, type ValuesOf } from '../parameters.ts'

export const workloadParameters = {
  nodes: whole(20, 2, limits.clusterNodesMax, 'brokers'),
  clients: whole(10_000_000, 1, 10_000_000_000, 'clients connected to all of them together'),
  subscriptionsPerClient: whole(10, 1, 10_000, 'subscriptions of each client'),
  distinctShare: real(1, 0.000_001, 1, 'different filters per subscription without wildcards'),
  wildcardShare: real(0.01, 0, 1, 'share of subscriptions with wildcards'),
  wildcardFilters: whole(50_000, 0, 100_000_000, 'different filters with wildcards in the cluster'),
  sharedShare: real(0.001, 0, 1, 'share of subscriptions that are shared ones'),
  sharedGroups: whole(1_000, 0, 100_000_000, 'different shared subscriptions in the cluster'),
  persistentShare: real(1, 0, 1, 'share of sessions that outlive their connection'),
  reconnectMinutes: real(60, 0.1, 1_000_000, 'a client reconnects once in so many minutes: sticky, hourly'),
  stormMinutes: real(10, 0.1, 1_000_000, '… in a storm'),
  churnPerHour: real(1, 0, 1_000_000, 'subscriptions each client changes an hour beside reconnecting'),
  publishesPerMinute: real(1, 0, 1_000_000, 'messages each client publishes a minute'),
  messageBytes: whole(1_000, 1, 16_777_216, 'bytes of a message on the wire, headers included'),
  deliveriesPerPublish: real(1, 0, 1_000_000, 'subscribers a message goes to'),
  crossNodeShare: real(0.3, 0, 1, 'share of messages that other nodes want'),
  nodesPerForward: real(1, 1, limits.clusterNodesMax - 1, 'other nodes that want such a message'),
  retainedPerClient: real(1, 0, 1_000, 'retained messages per client'),
  retainedLargeShare: real(0.3, 0, 1, 'share of them that is large'),
  retainedSmallBytes: whole(500, 0, 16_777_216, 'bytes of a small one'),
  retainedLargeBytes: whole(10_000, 0, 16_777_216, 'bytes of a large one'),
  queueingShare: real(0.1, 0, 1, 'share of sessions with messages waiting'),
  queuedMessages: whole(10, 0, 1_000_000, 'messages waiting in each of those'),
  batchIntervalMs: real(20, 0.1, 60_000, 'ms subscription changes are gathered, as routing.batchIntervalMs'),
} as const

export const limitParameters = {
  memoryPerNodeGb: real(16, 0.1, 100_000, 'memory of a node, GB'),
  coresPerNode: real(1, 0.01, 1_024, 'cores a node can use: its event loop is one'),
  networkPerNodeMbit: real(1_000, 0.1, 10_000_000, 'network of a node, Mbit/s each way'),
  diskPerNodeGb: real(500, 0.1, 10_000_000, 'disk of a node, GB'),
  kernelBytesPerConnection: whole(8_192, 0, 16_777_216, 'bytes the kernel takes per connection'),
  etcdQuotaGb: real(8, 0.001, 100_000, 'quota of etcd, GB; at 80 % new persistent sessions are refused'),
  etcdMemoryGb: real(16, 0.1, 100_000, 'memory of an etcd member, GB'),
  claimsPerSecond: real(0, 0, 100_000_000, 'claims etcd can take a second; 0: as measured'),
  wastedMax: real(10, 0, 100_000, 'forwards nobody wanted per 100 messages, at most'),
} as const

export const runParameters = {
  seed: whole(1, 0, 2 ** 32 - 1, 'of what is drawn: wildcards, probes'),
  localSample: real(1, 0.000_1, 1, 'share of one node’s subscriptions to build; sizes are scaled up'),
  memoryMax: real(0, 0, 1_000_000, 'GB the run may take; 0: 80 % of what is free'),
} as const

export type Workload = ValuesOf<typeof workloadParameters>
export type Limits = ValuesOf<typeof limitParameters>

export interface CapacityPlan {
  readonly workload: Workload
  readonly limits: Limits
  readonly run: ValuesOf<typeof runParameters>
  /** Numbers of clients to look at beside the workload's, ascending. */
  readonly sizes: readonly number[]
}

export const defaultSizes = '20000000,50000000,100000000'

/** By flag. Throws CONFIG_INVALID with everything that is wrong. */
export function capacityPlan(given: ReadonlyMap<string, string>): CapacityPlan {
  const faults: string[] = []
  const workload = readParameters(workloadParameters, given, faults)
  const bounds = readParameters(limitParameters, given, faults)
  const run = readParameters(runParameters, given, faults)
  const sizes = readSizes(given.get('sizes') ?? defaultSizes, faults)
  // Contradictions between numbers that are none would only add noise.
  if (faults.length === 0) faults.push(...contradictions(workload))
  refuse('the workload', faults)
  const others = sizes.filter(size => size !== workload.clients)
  return { workload, limits: bounds, run, sizes: [...new Set(others)].sort((a, b) => a - b) }
}

/** `none` for none. */
function readSizes(text: string, faults: string[]): number[] {
  if (text === 'none') return []
  return text.split(',').map(part => {
    const size = /^\d+$/.test(part) ? Number(part) : NaN
    if (!(size >= 1 && size <= workloadParameters.clients.to))
      faults.push(`--sizes: expected numbers of clients separated by commas, or none, got ${part}`)
    return size
  })
}

/** What is impossible though each number for itself is not. */
export function contradictions(workload: Workload): string[] {
  const { nodes, clients, subscriptionsPerClient, nodesPerForward } = workload
  const { wildcardShare, wildcardFilters, sharedShare, sharedGroups } = workload
  const faults: string[] = []
  const subscriptions = clients * subscriptionsPerClient
  if (clients < nodes) faults.push(`--clients: ${clients} clients leave some of ${nodes} nodes without any`)
  if (wildcardShare + sharedShare > 1)
    faults.push(`--wildcard-share, --shared-share: together they are more than all subscriptions`)
  if (nodesPerForward > nodes - 1)
    faults.push(`--nodes-per-forward: there are only ${nodes - 1} other nodes, not ${nodesPerForward}`)
  const kinds = [
    ['wildcard-filters', wildcardFilters, 'wildcard-share', wildcardShare],
    ['shared-groups', sharedGroups, 'shared-share', sharedShare],
  ] as const
  for (const [countFlag, count, shareFlag, share] of kinds) {
    const theirs = Math.round(subscriptions * share)
    if (share > 0 && count === 0) faults.push(`--${countFlag}: 0, though --${shareFlag} is ${share}`)
    else if (share > 0 && count > theirs)
      faults.push(
        `--${countFlag}: ${count} different ones need more than the ${theirs} subscriptions there are`,
      )
  }
  return faults
}

/** Subscriptions of one node by kind, and how many different filters they are. */
export interface NodeSubscriptions {
  readonly clients: number
  readonly all: number
  readonly exact: number
  readonly exactFilters: number
  readonly wildcard: number
  readonly shared: number
}

/** Of a node with its share of the clients, rounded up. */
export function nodeSubscriptions(workload: Workload): NodeSubscriptions {
  const clients = Math.ceil(workload.clients / workload.nodes)
  const all = clients * workload.subscriptionsPerClient
  const wildcard = Math.round(all * workload.wildcardShare)
  const shared = Math.min(all - wildcard, Math.round(all * workload.sharedShare))
  const exact = all - wildcard - shared
  return { clients, all, wildcard, shared, exact, exactFilters: Math.ceil(exact * workload.distinctShare) }
}

/**
 * How many of `different` filters a node's clients have, when each of `subscriptions` takes one at random; and how often a
 * filter is known of some node, over `nodes`.
 */
export function expectedHeld(different: number, subscriptions: number): number {
  return different === 0
    ? 0
    : different * -Math.expm1(subscriptions * Math.log1p(-1 / Math.max(2, different)))
}
