/**
 * What one node of the cluster needs: memory by use, processor, network and disk. Pure arithmetic; what the structures take is as
 * built, or as their sizes follow from the workload.
 */
import { bloomBitsFor } from '../../gossip/bloom-sizing.ts'
import { PLANE_SLOTS } from '../../routing/bit-plane.ts'
import { limits } from '../../src/core/limits.ts'
import type { Constants } from '../constants/constants.ts'
import { expectedErrorShare } from './bloom-error.ts'
import { expectedHeld, nodeSubscriptions, type Limits, type Workload } from './capacity-plan.ts'
import type { CoordinationLoad } from './coordination-load.ts'
import { settledChunks } from './forward-chunks.ts'
import type { GossipLoad } from './gossip-load.ts'

/** Sizes of a node's routing structures. */
export interface Structures {
  /** `built`: these very structures; `filter built`: one node's filter; else by arithmetic alone. */
  readonly basis: 'built' | 'filter built' | 'extrapolated'
  readonly exactFiltersPerNode: number
  readonly bits: number
  readonly tableBytes: number
  readonly ownBloomBytes: number
  /** Different wildcards and groups of other nodes, and those of each node added up. */
  readonly patterns: number
  readonly patternsOfNodes: number
  /** Nodes named in vain per message, of all others together. */
  readonly wastedPerMessage: number
}

/** As they follow from the workload, with nothing built. */
export function expectedStructures(workload: Workload): Structures {
  const { wildcard, shared, exactFilters } = nodeSubscriptions(workload)
  const others = workload.nodes - 1
  const kinds = [
    [workload.wildcardFilters, wildcard],
    [workload.sharedGroups, shared],
  ] as const
  const patterns = kinds.map(([different, held]) => expectedHeld(different, held * others))
  const ofNodes = kinds.map(([different, held]) => others * expectedHeld(different, held))
  const bits = bloomBitsFor(exactFilters)
  return {
    basis: 'extrapolated',
    exactFiltersPerNode: exactFilters,
    bits,
    tableBytes: Math.ceil(others / PLANE_SLOTS) * 2 ** (bits + 2),
    ownBloomBytes: (2 ** bits * 5) / 8,
    patterns: Math.round((patterns[0] ?? 0) + (patterns[1] ?? 0)),
    patternsOfNodes: Math.round((ofNodes[0] ?? 0) + (ofNodes[1] ?? 0)),
    wastedPerMessage: others * expectedErrorShare(exactFilters),
  }
}

/** Bytes, by use. */
export interface NodeMemory {
  readonly clients: number
  readonly kernel: number
  readonly subscriptions: number
  readonly remoteTable: number
  readonly remotePatterns: number
  readonly ownFilter: number
  readonly queued: number
  readonly retained: number
}

export function nodeMemory(
  workload: Workload,
  { kernelBytesPerConnection }: Limits,
  structures: Structures,
  { values }: Constants,
): NodeMemory {
  const { clients, all } = nodeSubscriptions(workload)
  const retained = workload.clients * workload.retainedPerClient
  const queued = clients * workload.queueingShare * workload.queuedMessages
  return {
    clients: clients * values['node.bytesPerIdleClient'].value,
    kernel: clients * kernelBytesPerConnection,
    // The first one of each client is in what a client takes.
    subscriptions: (all - clients) * values['node.bytesPerSubscription'].value,
    remoteTable: structures.tableBytes,
    remotePatterns:
      structures.patterns * values['node.bytesPerRemotePattern'].value +
      Math.max(0, structures.patternsOfNodes - structures.patterns) *
        values['node.bytesPerRemotePatternNode'].value,
    ownFilter: structures.ownBloomBytes,
    queued: queued * (workload.messageBytes + values['node.bytesPerQueuedMessage'].value),
    // Every node holds every one, large ones mostly without payload, and some of these for those who subscribed lately.
    retained:
      retained * (keptRetainedBytes(workload) + values['node.bytesPerRetained'].value) +
      (holdsAllRetained(workload) ? 0 : limits.retainedCacheBytesMax),
  }
}

export function sumOf(parts: object): number {
  return (Object.values(parts) as number[]).reduce((sum, part) => sum + part, 0)
}

/** Bytes on a node's disk. */
export function nodeDisk(workload: Workload, { values }: Constants): Readonly<Record<string, number>> {
  const { clients, all } = nodeSubscriptions(workload)
  const { persistentShare, messageBytes } = workload
  const queued = clients * persistentShare * workload.queueingShare * workload.queuedMessages
  return {
    sessions:
      persistentShare *
      (clients * values['disk.bytesPerSession'].value +
        (all - clients) * values['disk.bytesPerSubscription'].value),
    // The constant is for a payload of 256 B.
    queued: queued * Math.max(0, values['disk.bytesPerQueuedMessage'].value - 256 + messageBytes),
    retained:
      workload.clients * workload.retainedPerClient * (keptRetainedBytes(workload) + RETAINED_KEY_BYTES),
  }
}

/** About what the journal writes beside a retained payload: topic, stamp, publisher. */
const RETAINED_KEY_BYTES = 120

/** `retained.inlineBytesMax` as it is unless set: larger payloads are on two nodes. */
export const RETAINED_INLINE_BYTES_MAX = 1024
const RETAINED_HOLDERS = 2

/** Bytes of payload that one node keeps per retained message of the cluster, on average. */
function keptRetainedBytes(workload: Workload): number {
  const { nodes, retainedLargeShare, retainedSmallBytes, retainedLargeBytes } = workload
  const kept = (bytes: number): number =>
    bytes > RETAINED_INLINE_BYTES_MAX ? bytes * Math.min(1, RETAINED_HOLDERS / nodes) : bytes
  return (1 - retainedLargeShare) * kept(retainedSmallBytes) + retainedLargeShare * kept(retainedLargeBytes)
}

function holdsAllRetained({ nodes }: Workload): boolean {
  return nodes <= RETAINED_HOLDERS
}

/** Of one node, per second. */
export interface NodeTraffic {
  readonly publishes: number
  readonly deliveries: number
  /** To other nodes that want the message, and as many from them. */
  readonly forwards: number
  /** To nodes that do not, because a bloom filter is wrong; as many come in. */
  readonly wasted: number
  readonly bytesIn: number
  readonly bytesOut: number
}

export function nodeTraffic(workload: Workload, structures: Structures, gossipBytes = 0): NodeTraffic {
  const { messageBytes, publishesPerMinute, deliveriesPerPublish } = workload
  const publishes = (workload.clients / workload.nodes) * (publishesPerMinute / 60)
  const forwards = publishes * workload.crossNodeShare * workload.nodesPerForward
  const wasted = publishes * structures.wastedPerMessage
  const deliveries = publishes * deliveriesPerPublish
  const between = (forwards + wasted) * messageBytes + gossipBytes
  return {
    publishes,
    deliveries,
    forwards,
    wasted,
    bytesIn: publishes * messageBytes + between,
    bytesOut: deliveries * messageBytes + between,
  }
}

/** Cores of one node, by use. */
export interface NodeProcessor {
  readonly publishes: number
  readonly deliveries: number
  readonly forwards: number
  readonly connects: number
  readonly moves: number
  readonly gossip: number
  /** What a node does without clients. */
  readonly idle: number
}

export function nodeProcessor(
  { nodes }: Workload,
  traffic: NodeTraffic,
  coordination: CoordinationLoad,
  gossip: GossipLoad,
  constants: Constants,
): NodeProcessor {
  const { values } = constants
  const cores = (perSecond: number, microseconds: number): number => (perSecond * microseconds) / 1e6
  const between = traffic.forwards + traffic.wasted
  const others = {
    publishes: cores(traffic.publishes, values['node.cpuUsPerPublishAlone'].value),
    deliveries: cores(traffic.deliveries, values['node.cpuUsPerDeliveryAlone'].value),
    connects: cores(coordination.connectsPerSecond / nodes, values['node.cpuUsPerConnect'].value),
    moves: cores(coordination.movesPerSecond / nodes, values['node.cpuUsPerMove'].value),
    gossip: gossip.coresPerNode,
    idle: cores(1, values['node.cpuUsIdlePerSecond'].value),
  }
  const { out, into } = forwardCosts(constants)
  const bulk = cores(between, out.each + into.each)
  const chunks = settledChunks(
    { perSecond: between, peers: nodes - 1, arrivals: traffic.publishes + between },
    out.chunk + into.chunk,
    bulk + sumOf(others),
  )
  return { ...others, forwards: bulk + cores(chunks, out.chunk + into.chunk) }
}

/** µs of CPU for a forward and, besides, for the chunk it is in, at the node it leaves and at the one it comes to. */
export function forwardCosts({ values }: Constants) {
  const costs = (each: number, alone: number) => ({ each, chunk: Math.max(0, alone - each) })
  return {
    out: costs(values['node.cpuUsPerForwardOut'].value, values['node.cpuUsPerForwardOutAlone'].value),
    into: costs(values['node.cpuUsPerForwardIn'].value, values['node.cpuUsPerForwardInAlone'].value),
  }
}
