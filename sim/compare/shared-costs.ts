/**
 * Figures that several architectures share, on one workload: what it demands, what machines cost, and what the comparison took from
 * measurements and simulations.
 */
import { nodeSubscriptions } from '../capacity/capacity-plan.ts'
import { coordinationLoad } from '../capacity/coordination-load.ts'
import { gossipLoad } from '../capacity/gossip-load.ts'
import { expectedStructures } from '../capacity/node-load.ts'
import type { Constants } from '../constants/constants.ts'
import type { Demand } from './architecture.ts'
import type { ClaimsResult } from './claims-run.ts'
import type { ComparePlan } from './compare-plan.ts'
import { assumed, computed, constant, simulated, type Figure } from './figure.ts'
import type { SpreadResult } from './spread-run.ts'

export interface Simulations {
  readonly batched: ClaimsResult | undefined
  readonly single: ClaimsResult | undefined
  readonly gossip: SpreadResult | undefined
  readonly etcd: SpreadResult | undefined
}

export interface SharedCosts {
  readonly plan: ComparePlan
  readonly constants: Constants
  readonly simulations: Simulations
  /** Of a storm: where any node may serve a client; and where each client has a node of its own. */
  readonly needed: Demand
  readonly neededAtHome: Demand
  /** Different exact filters in the cluster, wildcards and groups aside. */
  readonly filters: number
  readonly subscriptions: number
  readonly roundTrip: Figure
  readonly hop: Figure
  /** Connects a second that all nodes together can handle at all. */
  readonly connectsOfNodes: Figure
  /** One filter in an index that holds filters themselves, as the local index does. */
  readonly bytesPerFilter: Figure
  readonly plainIndex: Figure
  /** Seeds' figures for a record of a session and of a subscription. */
  readonly sessionRecords: Figure
  readonly subscriptionRecords: Figure
  readonly hybridRetained: Figure
  /** A rumour among nodes as memberlist spreads it. */
  readonly rumourMs: Figure
  readonly rumoursPerSecond: Figure
}

export function sharedCosts(plan: ComparePlan, constants: Constants, simulations: Simulations): SharedCosts {
  const { workload, compare } = plan
  const { nodes, clients, subscriptionsPerClient, retainedPerClient, retainedLargeShare } = workload
  const { values } = constants
  const storm = coordinationLoad(workload, 'storm', constants)
  const filters = nodeSubscriptions(workload).exactFilters * nodes
  const subscriptions = clients * subscriptionsPerClient
  const bytesPerFilter = constant(
    values['node.bytesPerSubscription'],
    'bytes per filter of an index that holds filters',
  )
  const retained = clients * retainedPerClient
  const rounds = Math.ceil(Math.log(nodes) / Math.log(1 + MEMBERLIST.fanOut))
  const sends = MEMBERLIST.retransmit * Math.ceil(Math.log10(nodes + 1))
  return {
    plan,
    constants,
    simulations,
    needed: {
      claims: storm.claimsPerSecond + storm.releasesPerSecond,
      changes: gossipLoad(workload, storm, constants).changesPerSecond,
    },
    neededAtHome: {
      claims: storm.connectsPerSecond,
      changes: gossipLoad(workload, { ...storm, movesPerSecond: 0 }, constants).changesPerSecond,
    },
    filters,
    subscriptions,
    roundTrip: assumed(compare.roundTripMs, `a round trip takes ${compare.roundTripMs} ms (--round-trip-ms)`),
    hop: constant(values['stream.hopMsP50'], 'a hop between brokers'),
    connectsOfNodes: computed(
      'no coordination: only the nodes’ own work per connect bounds it',
      [constant(values['node.cpuUsPerConnect'], 'processor time of a connect')],
      microseconds => (nodes * 1e6) / microseconds,
    ),
    bytesPerFilter,
    plainIndex: computed(
      `each node holds all ${filters.toLocaleString('en-US')} filters themselves`,
      [
        bytesPerFilter,
        assumed(filters, 'an index of other nodes’ filters costs as much a filter as one of local ones'),
      ],
      (bytes, count) => bytes * count,
    ),
    sessionRecords: assumed(clients * 200, 'a session’s record is 200 B: client id, node, time'),
    subscriptionRecords: assumed(
      subscriptions * 500,
      'a subscription’s record is 500 B: client id, filter, QoS, options',
    ),
    hybridRetained: assumed(
      retained * ((1 - retainedLargeShare) * workload.retainedSmallBytes + retainedLargeShare * 300),
      'small retained messages are there whole, of large ones 300 B of metadata',
    ),
    rumourMs: assumed(
      rounds * MEMBERLIST.intervalMs,
      `memberlist’s defaults: every ${MEMBERLIST.intervalMs} ms to ${MEMBERLIST.fanOut} nodes, so ${rounds} rounds for ${nodes} nodes`,
    ),
    rumoursPerSecond: assumed(
      ((1000 / MEMBERLIST.intervalMs) *
        MEMBERLIST.fanOut *
        Math.floor(MEMBERLIST.packetBytes / MEMBERLIST.changeBytes)) /
        sends,
      `memberlist’s defaults: packets of ${MEMBERLIST.packetBytes} B to ${MEMBERLIST.fanOut} nodes every ${MEMBERLIST.intervalMs} ms, ` +
        `each node sends a change of ${MEMBERLIST.changeBytes} B ${sends} times; what does not fit waits for the full exchange every 30 s`,
    ),
  }
}

/** Defaults of hashicorp/memberlist on a local network, and what a change takes with its filter. */
const MEMBERLIST = { intervalMs: 200, fanOut: 3, packetBytes: 1400, retransmit: 4, changeBytes: 60 } as const

/** A simulated P99, or what is believed in its place when the simulation was interrupted. */
export function spreadP99(
  result: SpreadResult | undefined,
  { plan }: Pick<SharedCosts, 'plan'>,
  how: string,
): Figure {
  const { spreadNodes, spreadChangesPerSecond } = plan.compare
  if (result === undefined || result.p99Ms === null)
    return assumed(1000, `${how}: not simulated, or later than any class that is counted`)
  const what = `${how}: ${spreadNodes} production nodes in virtual time, ${spreadChangesPerSecond} changes a second, upper bound of the class`
  return simulated(result.p99Ms, what)
}

/** The routing memory of one of our nodes: structures of production at their sizes. */
export function hashedIndexBytes({ plan, constants }: Pick<SharedCosts, 'plan' | 'constants'>): Figure {
  const { tableBytes, ownBloomBytes, patterns, patternsOfNodes } = expectedStructures(plan.workload)
  const { values } = constants
  return computed(
    'bloom filters in a bit-sliced table, wildcards and groups in a tree; sim capacity builds them',
    [
      simulated(tableBytes + ownBloomBytes, 'sizes of production’s structures'),
      constant(values['node.bytesPerRemotePattern'], 'heap of a wildcard or group'),
      constant(values['node.bytesPerRemotePatternNode'], 'heap of a further node with it'),
    ],
    (tables, first, further) => tables + patterns * first + (patternsOfNodes - patterns) * further,
  )
}

/** The fewest clients at which one of these is full, by its share at the workload's. */
export function clientsUntilFull(
  { plan }: Pick<SharedCosts, 'plan'>,
  needed: Demand,
  claims: Figure,
  changes: Figure,
  store: Figure & { readonly limit: number },
  node: Figure,
): Figure {
  const memory = plan.limits.memoryPerNodeGb * 1e9
  return computed(
    'scaled from the workload: claims and changes of a storm, the store, the routing memory against their limits',
    [claims, changes, store, node],
    (claimsWall, changesWall, storeBytes, nodeBytes) => {
      const shares = [
        needed.claims / claimsWall,
        needed.changes / changesWall,
        storeBytes / store.limit,
        nodeBytes / memory,
      ]
      return plan.workload.clients / Math.max(...shares)
    },
  )
}
