import type { Incarnation, NodeId } from '../ids.ts'
import type { Publication } from '../publication.ts'
import type { QoS } from '../qos.ts'

/** How one subscriber gets a publication: its subscription, or what its overlapping ones come to together. */
export interface LocalMatch {
  readonly subscriber: LocalDelivery
  /** The highest of all that match. */
  readonly qos: QoS
  /** Every matching subscription has No Local. */
  readonly noLocal: boolean
  /** As the subscription with the highest QoS says. */
  readonly retainAsPublished: boolean
  /** Of all that match [MQTT-3.3.4-3]; often empty. */
  readonly subscriptionIdentifiers: readonly number[]
}

/** One subscription in force, held by the routing index for as long as it is there. */
export interface LocalSubscription extends LocalMatch {
  /** As subscribed; for a shared subscription without its `$share/<group>/`. */
  readonly filter: string
  /** Name of the shared subscription's group; undefined for an ordinary one. */
  readonly group: string | undefined
}

/** A client session, as routing sees it: somewhere to put a publication. */
export interface LocalDelivery {
  readonly clientId: string
  /** Whether a message of a shared subscription can be sent to it right now: its client is connected and keeps up. */
  readonly canTakeShared: boolean
  /**
   * Takes the publication as `match` says; never throws or blocks. What must be durable has been appended to the session
   * journal on return.
   */
  deliver(publication: Publication, match: LocalMatch): void
}

/** The members of one shared subscription on this node. */
export interface SharedGroup {
  /** The member the next message goes to: in turn, connected ones first. Undefined only when the group is empty. */
  next(): LocalMatch | undefined
}

/** Filters of this node's own clients. */
export interface LocalIndex {
  /**
   * Adds, or replaces the same subscriber's with the same filter and group. True when the filter is new on this node
   * (0 → 1), shared or not.
   */
  add(subscription: LocalSubscription): boolean
  /** True when it was the last subscription with that filter on this node (1 → 0). Unknown ones are fine: false. */
  remove(filter: string, group: string | undefined, subscriber: LocalDelivery): boolean
  /**
   * Whom a publication on this topic goes to, one per subscriber. Owned by the index: valid until the next change, not to be
   * modified.
   */
  match(topic: string): readonly LocalMatch[]
  /** The groups with a matching shared subscription. As `match`. */
  matchShared(topic: string): readonly SharedGroup[]
  /** Distinct filters, in no order. */
  filters(): Iterable<string>
  readonly filterCount: number
  readonly subscriptionCount: number
}

/** Told of every change in what this node's clients are interested in, filter by filter. */
export interface InterestListener {
  /** The first subscription with this filter on this node (0 → 1). */
  added(filter: string): void
  /** The last one went (1 → 0). */
  removed(filter: string): void
}

/** What the other nodes' clients are interested in. */
export interface RemoteIndex {
  add(nodeId: NodeId, filter: string): void
  remove(nodeId: NodeId, filter: string): void
  /** Forgets the node and everything of it. */
  clear(nodeId: NodeId): void
  /** While a live peer's interest is not known every topic matches it (DESIGN section 4.3). New nodes are unknown. */
  setKnown(nodeId: NodeId, known: boolean): void
  /** Nodes with a matching filter, or whose interest is unknown. Valid until the next change, not to be modified. */
  match(topic: string): readonly NodeId[]
  /** Nodes with a filter that equals this one. */
  nodesOf(filter: string): readonly NodeId[]
  readonly filterCount: number
}

/**
 * What a publisher is waiting for: `expect` once per party that must accept, `settle` once when it did. The
 * holder acknowledges when every expected settlement has come and the journal has committed up to `storeSequence`.
 */
export interface Acceptance {
  expect(): void
  settle(): void
  /** Raises the journal sequence that must be committed first. */
  requireCommitted(storeSequence: number): void
}

/** Hands publications to other nodes. */
export interface Forwarder {
  /**
   * QoS 0: sent or dropped (counted). QoS ≥ 1: sent, and resent after a reconnect, in order, until the peer accepted it
   * or left the membership; `acceptance` is told to expect one settlement. Never throws.
   */
  forward(nodeId: NodeId, publication: Publication, acceptance: Acceptance | undefined): void
  /** True when some peer's queue is full: publishers should not be read until `onWritable`. */
  readonly isFull: boolean
  onWritable(listener: () => void): void
}

/** The entry to routing for a client's PUBLISH. */
export interface PublishRouter {
  /** Routes to local subscribers and other nodes in this turn. `acceptance` is undefined exactly at QoS 0. */
  publish(publication: Publication, acceptance: Acceptance | undefined): void
  /** Routes a message of the broker itself to this node's subscribers only. */
  deliverLocally(publication: Publication): void
}

/** Which incarnation of a node's interest is in force, for status displays. */
export interface RemoteInterestStatus {
  readonly nodeId: NodeId
  readonly incarnation: Incarnation
  readonly sequence: number
  readonly filters: number
  readonly known: boolean
}
