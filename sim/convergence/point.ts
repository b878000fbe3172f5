/** One run of a sweep: what it is told, and what came out. Plain values: they go to worker threads and into JSON as they are. */
import type { Constants, ConstantName } from '../constants/constants.ts'
import type { PlacementName } from './placed-network.ts'

export interface PointSettings {
  readonly seed: number
  /** Virtual time in which changes are made; the cluster forms before it, and settles after it. */
  readonly seconds: number
  readonly nodes: number
  readonly profile: PlacementName
  /** New subscriptions in the whole cluster. */
  readonly changesPerSecond: number
  /** At random moments on random nodes, or evenly, on one node after the other. */
  readonly arrivals: 'random' | 'even'
  readonly batchIntervalMs: number
  readonly gossipDegree: number
  /** How many others a node tells per heartbeat of messages they may have missed. */
  readonly gossipLazy: number
  readonly heartbeatMs: number
  /** Share of packets the network loses. */
  readonly loss: number
  readonly nodesPerCore: number
  readonly filtersPerNode: number
  /** Whether a node sends its own gossip to everybody, not to its mesh alone. */
  readonly floodPublish: boolean
  readonly partition?: Partition | undefined
}

export interface Partition {
  /** Seconds from the first change. */
  readonly from: number
  readonly to: number
  readonly cut: 'one-node' | 'half' | 'zone'
}

/** What operations cost, ms. */
export interface PointCosts {
  /** Of a core that had nothing to do. */
  readonly wakeMs: number
  /** Of a process in a second, for whatever nodes do without clients or gossip. */
  readonly idleMsPerSecond: number
  /** For which a process stops now and then, for each node in it. */
  readonly pauseMs: number
  readonly gossipSendMs: number
  readonly gossipReceiveMs: number
  /** At a node that hears of a change. */
  readonly gossipChangeMs: number
  readonly gossipHopMsP50: number
  readonly gossipHopMsP99: number
  readonly streamFrameMs: number
  readonly streamBytesPerMs: number
  readonly packetMs: number
}

/** The constants that results rest on. */
export const usedConstants = [
  'node.cpuUsPerWake',
  'node.cpuUsIdlePerSecond',
  'gossip.pauseMsPerNode',
  'gossip.cpuUsPerSend',
  'gossip.cpuUsPerReceive',
  'gossip.cpuUsPerChange',
  'gossip.hopMsP50',
  'gossip.hopMsP99',
  'stream.cpuUsPerFrame',
  'stream.megabytesPerSecond',
  'node.cpuUsPerPublishAlone',
] as const satisfies readonly ConstantName[]

export function costsOf({ values }: Constants): PointCosts {
  return {
    wakeMs: values['node.cpuUsPerWake'].value / 1000,
    idleMsPerSecond: values['node.cpuUsIdlePerSecond'].value / 1000,
    pauseMs: values['gossip.pauseMsPerNode'].value,
    gossipSendMs: values['gossip.cpuUsPerSend'].value / 1000,
    gossipReceiveMs: values['gossip.cpuUsPerReceive'].value / 1000,
    gossipChangeMs: values['gossip.cpuUsPerChange'].value / 1000,
    gossipHopMsP50: values['gossip.hopMsP50'].value,
    gossipHopMsP99: values['gossip.hopMsP99'].value,
    streamFrameMs: values['stream.cpuUsPerFrame'].value / 1000,
    streamBytesPerMs: values['stream.megabytesPerSecond'].value * 1000,
    packetMs: values['node.cpuUsPerPublishAlone'].value / 1000,
  }
}

export interface Percentiles {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

/** Messages published at other nodes when a subscription was said to be effective, and those that missed its node. */
export interface Misses {
  readonly sent: number
  readonly missed: number
}

export interface PointResult {
  /** Why there are no figures: the cluster could not even form. */
  readonly fault?: string
  readonly settings: PointSettings
  /** When every node knew every other's interest, ms from the start of all of them. */
  readonly formedMs: number
  readonly changes: number
  /** Pairs of a change and a node at which it was not applied by the end of the run. */
  readonly neverApplied: number
  /** Milliseconds from a change until it was applied on all nodes, and on each node. */
  readonly everywhere: Percentiles
  readonly perNode: Percentiles
  /** The first, second … hundredth percentile of `everywhere`, ms. */
  readonly curve: readonly number[]
  /** Milliseconds from SUBSCRIBE to SUBACK with the barrier, as sent by the node; those refused in time are not counted. */
  readonly suback: { readonly quorum: Percentiles; readonly all: Percentiles }
  readonly refused: { readonly quorum: number; readonly all: number }
  readonly misses: {
    readonly local: Misses
    readonly settled: Misses
    readonly quorum: Misses
    readonly all: Misses
  }
  readonly gossip: {
    readonly published: number
    readonly copies: number
    readonly duplicates: number
    readonly told: number
    readonly asked: number
    readonly bytes: number
  }
  /** Frames on streams by what they are, and all their bytes. */
  readonly stream: {
    readonly deltas: number
    readonly applied: number
    readonly digests: number
    readonly repairs: number
    readonly bytes: number
  }
  readonly gaps: number
  readonly repairs: number
  /** Share of the time that the cores worked, and the busiest of them. */
  readonly cpu: { readonly mean: number; readonly most: number }
  /** Over time, seconds from the first change: pairs of nodes of which one does not have the other's interest as it is. */
  readonly divergence: readonly (readonly [seconds: number, pairs: number])[]
}
