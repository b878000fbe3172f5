import type { ClientId, Incarnation, NodeId } from '../ids.ts'
import type { MessageId, Publication } from '../publication.ts'
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
  /** It is a member's of this shared subscription; undefined for an ordinary one. */
  readonly group?: string | undefined
  /** That one's, without its `$share/<group>/`. There with `group`. */
  readonly filter?: string | undefined
}

/** One subscription in force, held by the routing index for as long as it is there. */
export interface LocalSubscription extends LocalMatch {
  /** As subscribed; for a shared subscription without its `$share/<group>/`. */
  readonly filter: string
  /** Name of the shared subscription's group; undefined for an ordinary one. */
  readonly group: string | undefined
  /** As in `SubscriptionRecord`. */
  readonly fromPosition?: number | undefined
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
  /** As `deliver`, for what this node delivered before, perhaps before the session came here: only if it may lack it. Absent: it never moves. */
  deliverLacking?(publication: Publication, match: LocalMatch): void
}

/** The members of one shared subscription on this node. */
export interface SharedGroup {
  readonly group: string
  readonly filter: string
  /** How many members there are. */
  readonly size: number
  /**
   * The member the next message goes to: in turn or, with a `ticket` (an integer ≥ 0), always the same for the same one while
   * the members are the same. Those that can take it come first. Undefined only when the group is empty.
   */
  next(ticket?: number): LocalMatch | undefined
  /** The member `next` would answer, whose turn it stays. */
  peek(ticket?: number): LocalMatch | undefined
}

/** How many members a shared subscription has on this node. */
export interface LocalGroup {
  readonly group: string
  readonly filter: string
  /** ≥ 1 */
  readonly members: number
}

/** Filters of this node's own clients. */
export interface LocalIndex {
  /**
   * Adds, or replaces the same subscriber's with the same filter and group. True when other nodes must hear of it: it is
   * the first ordinary one with its filter on this node (0 → 1), or its group has a member more.
   */
  add(subscription: LocalSubscription): boolean
  /**
   * True when other nodes must hear of it: it was the last ordinary one with its filter (1 → 0), or its group has a member
   * less. Unknown ones are fine: false.
   */
  remove(filter: string, group: string | undefined, subscriber: LocalDelivery): boolean
  /** Members of a shared subscription on this node. */
  memberCount(group: string, filter: string): number
  /**
   * Whom a publication on this topic goes to, one per subscriber. Owned by the index: valid until the next change, not to be
   * modified.
   */
  match(topic: string): readonly LocalMatch[]
  /** The groups with a matching shared subscription. As `match`. */
  matchShared(topic: string): readonly SharedGroup[]
  /** Distinct filters of ordinary subscriptions, in no order. */
  filters(): Iterable<string>
  /** Shared subscriptions with their members on this node, in no order. */
  groups(): Iterable<LocalGroup>
  /** Distinct filters; those of shared subscriptions count once per group. */
  readonly filterCount: number
  readonly subscriptionCount: number
}

/** Told of every change in what this node's clients are interested in, that other nodes must hear of. */
export interface InterestListener {
  /** The first ordinary subscription with this filter on this node (0 → 1). */
  added(filter: string): void
  /** The last one went (1 → 0). */
  removed(filter: string): void
  /** The shared subscription has this many members on this node now; 0 when the last one went. */
  groupChanged(group: string, filter: string, members: number): void
}

/** A shared subscription of other nodes' clients. */
export interface RemoteGroup {
  readonly group: string
  readonly filter: string
  /** How many members each node has, each ≥ 1. */
  readonly members: ReadonlyMap<NodeId, number>
}

/**
 * What is known of the interest of one other node: exact filters as a bloom filter of 2^bits positions, wildcards and
 * shared subscriptions ("patterns") exactly. Written by the interest exchange, which says what to write in which order;
 * see src/core/interest-hash.ts for hashes, positions, segments and checksums.
 */
export interface RemoteNodeInterest {
  /** While a live peer's interest is not known every topic matches it (DESIGN section 4.3). New nodes are unknown. */
  setKnown(known: boolean): void
  /**
   * Begins a bloom filter of 2^bits positions in place of the one before. Each of its segments must be written before
   * anything is added and before the node becomes known: until then what they hold is undefined.
   */
  begin(bits: number): void
  /** Sets all positions of a segment from 1,024 words of 32 bits, lowest first. */
  writeSegment(index: number, words: Uint32Array): void
  /** Sets the positions of a filter. */
  addExact(low: number, high: number): void
  /** Clears those positions of a filter whose bit in `fallen` is set. */
  removeExact(low: number, high: number, fallen: number): void
  /** Checksum of the set positions by segment; owned by the index, not to be modified. */
  readonly checksums: Uint32Array
  /** Sum of `checksums`, modulo 2^32. */
  readonly checksum: number
  /**
   * Sets how many members there are; 0 removes. `group` is empty for an ordinary filter with wildcards, `members` then 0 or
   * 1. Answers how many there were.
   */
  setPattern(group: string, filter: string, members: number): number
  clearPatterns(): void
  /** What `writeSegment` and changes since made of a segment, as a copy. Only while it is known. */
  segment(index: number): Uint32Array
  /** The patterns there are, in no order. Valid until the next change. */
  readonly patterns: Iterable<{ readonly group: string; readonly filter: string; readonly members: number }>
}

/** What the other nodes' clients are interested in. At most `limits.clusterNodesMax` nodes. */
export interface RemoteIndex {
  /** The interest of a node, for writing; a node not heard of before is unknown. In force until `clear`. */
  node(nodeId: NodeId): RemoteNodeInterest
  /** Forgets the node and everything of it. */
  clear(nodeId: NodeId): void
  /** Nodes whose interest is not known, their shared subscriptions included. Valid until the next change. */
  readonly unknownNodes: readonly NodeId[]
  /**
   * Nodes that may have a matching ordinary filter, and those whose interest is unknown: never one too few, and one too many
   * with the small probability of a bloom filter. Those with a shared one as well when `matchShared` cannot tell. Valid until
   * the next change, not to be modified.
   */
  match(topic: string): readonly NodeId[]
  /**
   * Shared subscriptions that match, with their members on other nodes, exactly. As `match`. Undefined when there were too
   * many wildcards to walk (`limits.wildcardVisitsMax`): then `match` has every node with any.
   */
  matchShared(topic: string): readonly RemoteGroup[] | undefined
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
  /**
   * Journal sequence that must be committed before the publication, and what is behind it, leaves for any other node. Infinity
   * while it is not known, which it is before the turn of the publication ends. 0 or absent: none.
   */
  readonly sendAfter?: number
  /** What is to happen once the publisher's answer has been written, if it ever is. */
  afterwards?: (() => void) | undefined
}

/**
 * A publication at QoS ≥ 1 in some node's outbox for another, which its publisher takes along when its session moves: what it
 * publishes next must not overtake it.
 */
export interface Debt {
  /** Whose outbox it lies in. */
  readonly nodeId: NodeId
  /** Wall clock, ms; undefined = never expires. */
  readonly expiresAtMs: number | undefined
  /** As between nodes (routing/WIRE.md). */
  readonly frame: Uint8Array
}

/** A shared subscription, by name. */
export interface SharedTarget {
  readonly group: string
  readonly filter: string
}

/** Hands publications to other nodes. */
export interface Forwarder {
  /**
   * To the ordinary subscribers of a node. QoS 0: sent or dropped (counted). QoS ≥ 1: sent, and resent after a reconnect, in
   * order, until the peer accepted it; `acceptance` is told to expect one settlement, or, when the peer is late or gone and
   * the publication goes into its outbox, what must be committed instead. Never throws.
   */
  forward(nodeId: NodeId, publication: Publication, acceptance: Acceptance | undefined): void
  /**
   * As `forward`, to one member of a shared subscription there and to nobody else. It is given back, to be routed anew, when
   * that node has no member any more, and, at QoS 1 or before sending began, when it vanishes. `attempt`: how many nodes were
   * tried before.
   */
  forwardToGroup(
    nodeId: NodeId,
    publication: Publication,
    target: SharedTarget,
    acceptance: Acceptance | undefined,
    attempt: number,
  ): void
  /** Live members, self left out. Valid until the next change, not to be modified. */
  readonly members: readonly NodeId[]
  /**
   * What lies in the outboxes of that publisher's, per node in the order published; undefined when there is nothing. When there is
   * more than `limits` allow, none of it (counted). Never rejects.
   */
  debtsOf(publisher: ClientId): Promise<readonly Debt[]> | undefined
  /** As `PublishRouter.takeOver`. `self`: this node. */
  takeOver(self: NodeId, publisher: ClientId, debts: readonly Debt[], acceptance: Acceptance): void
  /**
   * Calls back, never inside this call, when each live node has said that nothing is left of the publications at QoS ≥ 1 it had
   * for this node when it was asked, outbox included: all are accepted here, and delivered. It is asked after this call, as soon
   * as it can be. `owing`: those that are gone, may return, and have not said so. Called again whenever one of these has, or is
   * forgotten; with none for the last time, which may be never.
   */
  whenFlushed(heard: (owing: readonly NodeId[]) => void): void
  /**
   * Rises with each publication at QoS ≥ 1 that is given to a node whose queue is full: its publisher should not be read until
   * `onWritable`. Those of other publications are not concerned.
   */
  readonly heldBack: number
  /** Called whenever a queue that was full has room; others may still be full. */
  onWritable(listener: () => void): void
}

/** The entry to routing for a client's PUBLISH. */
export interface PublishRouter {
  /** Routes to local subscribers and other nodes in this turn. `acceptance` is undefined exactly at QoS 0. */
  publish(publication: Publication, acceptance: Acceptance | undefined): void
  /**
   * A publication that was routed before, under the id it has, and that other nodes may not have got: to them once more, and,
   * when it was routed by another node, to this node's sessions unless it reached them. Within a change of the journal.
   */
  repeat(publication: Publication, acceptance: Acceptance, isFromElsewhere: boolean): void
  /**
   * Sends what the publisher's earlier node owes others, under the ids it has, before anything it publishes here; that node goes
   * on owing it, and who gets it twice drops it by its id. `acceptance` as in `publish`.
   */
  takeOver(publisher: ClientId, debts: readonly Debt[], acceptance: Acceptance): void
  /**
   * For each incarnation heard of lately, this one first, then the last heard first: the highest number, reserved ones aside, of
   * what it published and this node has. Whatever of lower numbers is routed here has come, unless its node still has it in an
   * outbox of an earlier life.
   */
  receivedUpTo(): readonly MessageId[]
  /** The same, with what others sent on behalf of an incarnation: above it this node has had nothing. */
  seenUpTo(): readonly MessageId[]
  /** What others sent so that is above `receivedUpTo`. */
  receivedBeyond(): readonly MessageId[]
  /**
   * A member of a shared subscription is leaving this node: it still gets what comes for all groups here, from a node that knew none
   * of them when it was published, unless its group has another member here. Until `memberGone`.
   */
  memberLeaves(member: LocalSubscription): void
  /** Nothing of it is fine. */
  memberGone(subscriber: LocalDelivery): void
  /** While something is delivered to a session: the node it came from, this one for what is published here. */
  readonly sender: NodeId
  /**
   * To a member of the shared subscription, here or elsewhere, of a publication whose member's session here has ended, as another
   * publication, with an id of its own. If nobody is a member it is dropped (counted). `acceptance` as in `publish`.
   */
  giveToAnother(publication: Publication, target: SharedTarget, acceptance: Acceptance): void
  /** An id for a publication that may be routed later, by this node or another: a will. Undefined before the node has joined. */
  reserveId(): MessageId | undefined
  /** Routes a message of the broker itself to this node's subscribers only. */
  deliverLocally(publication: Publication): void
}

/** Tells when a subscription is effective beyond this node (DESIGN section 4.4). */
export interface RouteBarrier {
  /**
   * Calls back, once and never inside this call, when every change of this node's interest up to now is applied by the live
   * members the level names (true), or when `timeoutMs` has passed first (false). With no other members: soon. A life that may act
   * by promises of others, without being a member here, is one that applies nothing.
   */
  whenApplied(level: 'quorum' | 'all', timeoutMs: number, done: (isApplied: boolean) => void): void
  /** Whether every change of this node's interest made up to then, by its clock, is applied by all live members. */
  isAppliedUpTo(timeMs: number): boolean
}

/** Which incarnation of a node's interest is in force, for status displays. */
export interface RemoteInterestStatus {
  readonly nodeId: NodeId
  readonly incarnation: Incarnation
  readonly sequence: number
  readonly filters: number
  readonly known: boolean
}
