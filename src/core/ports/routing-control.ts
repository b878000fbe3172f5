import type { Incarnation, NodeId } from '../ids.ts'
import type { QoS } from '../qos.ts'

/** A message that is not published, only asked about. */
export interface ExplainQuery {
  /** A valid topic name. */
  readonly topic: string
  readonly qos: QoS
  /** Client id of the publisher, for No Local and sticky shared subscriptions; empty = nobody in particular. */
  readonly publisher: string
}

/** A list that may be cut: `total` counts all, those left out included. */
export interface Bounded<T> {
  readonly items: readonly T[]
  readonly total: number
}

/** A session of the node that is asked, which the message would go to. */
export interface LocalRecipient {
  readonly clientId: string
  /** Those of its ordinary filters that match. */
  readonly filters: readonly string[]
  /** QoS it would be delivered at: the lower of the message's and the highest subscribed. */
  readonly qos: QoS
  /** Every matching subscription has No Local. */
  readonly noLocal: boolean
  /** It published the message itself and has No Local: it would not get it. */
  readonly isSkipped: boolean
}

/** What brings a message to a node. */
export type RouteReason =
  /** The node has ordinary subscriptions with this filter, which has wildcards. Certain. */
  | { readonly kind: 'pattern'; readonly filter: string }
  /** Its bloom filter has the topic: probably it has a subscription with exactly this filter. */
  | { readonly kind: 'exact'; readonly falsePositiveRate: number }
  /** It has members of a shared subscription. */
  | { readonly kind: 'group'; readonly group: string; readonly filter: string; readonly members: number }
  /** What it is interested in is not known, so it gets everything. */
  | { readonly kind: 'unknown' }
  /** Too many wildcards to walk: every node with any gets it. */
  | { readonly kind: 'cut' }

/** How the asked node stands to another one. */
export interface PeerRoute {
  readonly nodeId: NodeId
  /** Undefined: its interest is kept though it is no member. */
  readonly incarnation: Incarnation | undefined
  /** Up to which of its changes its interest is applied here. */
  readonly sequence: number | undefined
  readonly isKnown: boolean
  readonly presence: 'member' | 'away' | 'forgotten'
  readonly isLinkUp: boolean
  /** Publications at QoS ≥ 1 it has not accepted. */
  readonly waiting: number
  readonly outboxMessages: number
  readonly outboxBytes: number
  /** It is late or gone: what it gets goes through its outbox on this node's disk. */
  readonly isThroughOutbox: boolean
}

export interface RecipientNode extends PeerRoute {
  readonly reasons: readonly RouteReason[]
  /** Reasons beyond those listed. */
  readonly reasonsLeftOut: number
}

/** A shared subscription that matches: one member in the cluster would get the message. */
export interface GroupChoice {
  readonly group: string
  readonly filter: string
  readonly members: readonly { readonly nodeId: NodeId; readonly members: number; readonly isLive: boolean }[]
  /** The node whose turn it is; undefined when that is not decided beforehand. */
  readonly chosenNode: NodeId | undefined
  /** The member, when the chosen node is the one that is asked. */
  readonly chosenClient: string | undefined
  /** The member of the node that is asked that would get it, were that node chosen; undefined when it has none, or chance decides. */
  readonly clientHere: string | undefined
  /** Why, for people. */
  readonly because: string
}

export interface RetainedFact {
  readonly bytes: number
  readonly qos: QoS
  /** Wall clock ms; undefined = never. */
  readonly expiresAtMs: number | undefined
}

/** Where a message would go if it were published at the node that is asked, now. */
export interface Explanation {
  readonly topic: string
  readonly qos: QoS
  readonly local: Bounded<LocalRecipient>
  readonly nodes: Bounded<RecipientNode>
  readonly groups: Bounded<GroupChoice>
  /** Nodes it would not go to. */
  readonly nodesLeftOut: number
  /** The topic's retained message here. */
  readonly retained: RetainedFact | undefined
  /** What the publisher's acknowledgement would wait for, for people; empty at QoS 0. */
  readonly waitsFor: readonly string[]
}

/** A bloom filter of another node's exact filters, as it is here. Figures are from a sample of it, all of it when it is small. */
export interface ExactTable {
  /** It has 2^bits positions. */
  readonly bits: number
  /** Of them, set. */
  readonly setPositions: number
  /** How many filters would set so many. */
  readonly estimatedFilters: number
  /** Share of topics nobody there has as a filter that would be forwarded all the same. */
  readonly falsePositiveRate: number
}

export interface NodeRoutes {
  readonly nodeId: NodeId
  /** Whether this is the node that is asked. */
  readonly isSelf: boolean
  readonly incarnation: Incarnation | undefined
  readonly sequence: number | undefined
  readonly isKnown: boolean
  readonly isMember: boolean
  /** Filters with wildcards, and shared subscriptions. */
  readonly patterns: number
  /** Filters without wildcards, as it announced; undefined when nothing is known. */
  readonly exactFilters: number | undefined
  /** Undefined for the node itself, which has its filters, and while there is none. */
  readonly table: ExactTable | undefined
}

/** A filter with wildcards, or a shared subscription, of a node. */
export interface RoutePattern {
  readonly nodeId: NodeId
  /** Undefined for ordinary subscriptions. */
  readonly group: string | undefined
  readonly filter: string
  /** Of a shared subscription, on that node; else 1. */
  readonly members: number
}

export interface RoutesQuery {
  /** Patterns of this node alone. */
  readonly nodeId: NodeId | undefined
  /** Patterns passed over. */
  readonly offset: number
  /** Most patterns, ≥ 1. */
  readonly limit: number
}

export interface RouteTable {
  readonly nodes: readonly NodeRoutes[]
  /** `total` counts those of the nodes asked for. */
  readonly patterns: Bounded<RoutePattern>
}

/** A node that has a filter. */
export interface FilterHolder {
  readonly nodeId: NodeId
  readonly isSelf: boolean
  /** Of a shared subscription; else 1. */
  readonly members: number
  /** False: its bloom filter has it. */
  readonly isCertain: boolean
  /** That a bloom filter as full as that node's has a filter nobody there has. 0 when certain. */
  readonly falsePositiveRate: number
}

/** What an operator may ask about routes. A look-up changes nothing: no turn is taken, no answer remembered. */
export interface RoutingControl {
  /** What is wrong with a topic name, completing "the topic …"; undefined when it may be published. */
  topicFault(topic: string): string | undefined
  /** As `topicFault`, for a filter, shared ones included. */
  filterFault(filter: string): string | undefined
  explain(query: ExplainQuery): Explanation
  routes(query: RoutesQuery): RouteTable
  /** Which nodes have exactly this valid filter. */
  holders(filter: string): readonly FilterHolder[]
}
