import type { Incarnation, NodeId } from '../ids.ts'
import type { MemberState } from './membership.ts'

/** One condition of `/ready`. `detail` says what is the case and, when not ok, what is missing. */
export interface ReadinessCheck {
  readonly name:
    'coordination' | 'mesh' | 'interest' | 'retained' | 'clock' | 'storage' | 'listeners' | 'drain'
  readonly ok: boolean
  readonly detail: string
}

/** Something that happened to the cluster as this node saw it, newest last in `ClusterStatus.events`. */
export interface ClusterEvent {
  /** Wall clock ms. */
  readonly atMs: number
  readonly event:
    | 'member-joined'
    | 'member-left'
    | 'member-state'
    | 'link-up'
    | 'link-down'
    | 'leader-changed'
    | 'suspended'
    | 'resumed'
  readonly nodeId: NodeId
  readonly detail: string
}

/** How much a member has to do, as it last said. */
export interface LoadStatus {
  readonly connections: number
  readonly sessions: number
}

export interface MemberStatus {
  readonly nodeId: NodeId
  readonly incarnation: Incarnation
  readonly state: MemberState
  readonly leader: boolean
  readonly self: boolean
  /** Whether this node can exchange frames with it; always true for self. */
  readonly linkUp: boolean
  /** Whether this node knows all of its interest; always true for self. */
  readonly interestKnown: boolean
  /** Distinct filters of its clients, as known here. */
  readonly filters: number
  readonly version: string
  readonly mqttAddress: string
  readonly adminUrl: string
  readonly startedAtMs: number
  /** Null when it has not said yet. */
  readonly load: LoadStatus | null
  /** Whether it cannot hold its lease, so that it acknowledges nothing. */
  readonly suspended: boolean
  /** What ails it, as it last said; null when nothing does. */
  readonly health: string | null
}

export interface ClusterStatus {
  readonly cluster: string
  readonly nodeId: NodeId
  readonly coordination: 'embedded' | 'etcd'
  readonly suspended: boolean
  readonly leader: NodeId | undefined
  readonly members: readonly MemberStatus[]
  /** Clients and sessions of the node that answers. */
  readonly local: {
    readonly connections: number
    readonly sessions: number
    /** Messages at QoS ≥ 1 for the clients of these sessions, those in flight included. */
    readonly queued: number
    readonly subscriptions: number
    readonly filters: number
  }
  /** The latest cluster events seen by this node, oldest first, bounded. */
  readonly events: readonly ClusterEvent[]
}

/** Something worth watching, read when metrics are scraped. */
export type Metric = NumberMetric | HistogramMetric

interface MetricDescription {
  /** Prometheus name without the `grapevine_` prefix; counters end in `_total`. */
  readonly name: string
  /** What it counts, with its unit. */
  readonly help: string
  /** Tell apart metrics of one name, which then have the same type and label names. */
  readonly labels?: Readonly<Record<string, string>>
}

export interface NumberMetric extends MetricDescription {
  readonly type: 'counter' | 'gauge'
  read(): number
}

export interface HistogramMetric extends MetricDescription {
  readonly type: 'histogram'
  /** Upper bounds of its buckets, rising; beyond the last there is one more. */
  readonly bounds: readonly number[]
  read(): HistogramReading
}

export interface HistogramReading {
  /** Of each bucket alone, one more than there are bounds. */
  readonly counts: readonly number[]
  /** Of all that was counted. */
  readonly sum: number
}

/** What the operator's side asks a node. */
export interface NodeStatusSource {
  readiness(): readonly ReadinessCheck[]
  clusterStatus(): ClusterStatus
  metrics(): readonly Metric[]
}
