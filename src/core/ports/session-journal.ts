import type { ClientId, FencingToken, Incarnation, NodeId } from '../ids.ts'
import type { MessageId, Publication } from '../publication.ts'
import type { Debt, SharedTarget } from './routing.ts'
import type { QoS } from '../qos.ts'

/** A session on its way to another node: what comes from now on follows as the tail (PROTOCOLS section 4). */
export interface DepartureMark {
  readonly to: NodeId
  /** Messages with a lower position are in the snapshot. */
  readonly nextPosition: number
  /**
   * Those below were queued before the session left: they follow as they are, in front of what comes since. Never below
   * `nextPosition` at first, and absent in marks of an earlier version, which had no rest.
   */
  readonly restTo?: number
  /** That node, or one after it, owns the session by now. Absent: it may yet stay. */
  readonly isGiven?: true
}

/** A previous owner from which messages follow that reached it while the session moved. */
export interface TailMark {
  readonly from: NodeId
  /** Its ownership, by which it names what it sends. */
  readonly token: FencingToken
  /** The next position expected: everything below is here. */
  readonly position: number
  /** As in that owner's departure mark. */
  readonly restTo?: number
  /**
   * What that owner had received does not say what the session has had: the session has subscribed to more since, or was back
   * on a node on which messages from before were still to come.
   */
  readonly isLoose?: true
  /** What the session gets directly does not wait for that owner: it has caught up, or it took too long. */
  readonly isPassed?: true
  /**
   * Nodes that were gone when it had caught up, and may still have something for it: what comes directly once one of these is
   * back waits for that. Absent: none.
   */
  readonly owing?: readonly NodeId[]
  /** Such a node is back: what comes from now on waits, behind a gap that begins here. */
  readonly heldAt?: number
}

/** Where a session that is staged comes from. */
export interface StagedOrigin {
  readonly nodeId: NodeId
  /** Of that node's ownership. */
  readonly token: FencingToken
}

/** What is durable of a session beside its subscriptions and messages. */
export interface SessionRecord {
  readonly clientId: ClientId
  /** Token under which this node owns it; a record in the coordination store with another token supersedes it. */
  readonly token: FencingToken
  /** Seconds the session outlives its connection; 0xFFFFFFFF = for ever (MQTT 5 section 3.1.2.11.2). Never 0. */
  readonly expiryIntervalSeconds: number
  /** Wall clock ms of the disconnection; undefined while connected (or when the process died connected). */
  readonly disconnectedAtMs: number | undefined
  /** Absent when it is not leaving. */
  readonly departure?: DepartureMark
  /** Absent when nothing follows from elsewhere. */
  readonly tails?: readonly TailMark[]
  /** Of each incarnation the number up to which it has had, or is sure to get, what that published. Absent if it never moved. */
  readonly floors?: readonly MessageId[]
  /** Single ones it has had above these. Absent if none. */
  readonly beyond?: readonly MessageId[]
  /** What it may lack below these floors. Absent if nothing. */
  readonly gaps?: readonly IngressGap[]
  /** Ids of wills it has had lately, the last one last. Absent if none. */
  readonly hadWills?: readonly MessageId[]
}

/** Numbers of one incarnation, above `above` and up to `upTo`, which a session's node received before the session came. */
export interface IngressGap {
  /** The owner the session came from, which had not received them. */
  readonly from: NodeId
  readonly incarnation: Incarnation
  readonly above: number
  readonly upTo: number
}

export interface SubscriptionRecord {
  readonly filter: string
  readonly qos: QoS
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  readonly subscriptionIdentifier: number | undefined
  /** It was made while earlier owners still had messages to follow: those below this position are not for it. Absent: all are. */
  readonly fromPosition?: number | undefined
  /** A shared one of a session on its way to another node, which is a member there by now. */
  readonly isLeft?: true
}

/** A message queued for, or in flight to, a session's client. */
export interface QueuedRecord {
  /** Rises by one per message of the session; gives the order of delivery. */
  readonly position: number
  /** QoS of the delivery, ≥ 1. */
  readonly qos: QoS
  /** RETAIN flag of the delivery. */
  readonly retain: boolean
  /** Subscription identifiers of all matching subscriptions; often none. */
  readonly subscriptionIdentifiers: readonly number[]
  readonly publication: Publication
  /** The shared subscription it came by, whose other members get it when the session ends first. Absent: by ordinary ones. */
  readonly target?: SharedTarget | undefined
}

/** What waits in a stored queue: a message, or the rest of a QoS 2 exchange whose PUBREC came (PUBREL is due). */
export type StoredQueueEntry = QueuedRecord | { readonly position: number; readonly isReleased: true }

/** What a client asked to be published when it goes without a word (MQTT 5 section 3.1.2.5). */
export interface WillRecord {
  /** Its `expiresAtMs` is undefined: expiry counts from the publication of the will. */
  readonly publication: Publication
  readonly messageExpirySeconds: number | undefined
  readonly delaySeconds: number
}

/** A QoS 2 PUBLISH taken from the client and not released by it yet. */
export interface ReceivedRecord {
  readonly packetId: number
  /** Under which it was routed: if it is repeated, others may still lack it. Undefined: they all have it. */
  readonly id: MessageId | undefined
  /** It came with the session, so this node's sessions may lack it, too. Absent: they got it in the same change. */
  readonly isFromElsewhere?: true
}

/** Names an estate within one life of the process. */
export type EstateId = number

export interface StoredSession {
  /** It is over: its queue is for other members of the shared subscriptions it came by. Absent of a session that is not. */
  readonly estate?: EstateId
  /** It was being handed over by another node: not in force unless ownership was swapped. Absent of an ordinary session. */
  readonly staged?: StagedOrigin
  readonly session: SessionRecord
  readonly subscriptions: readonly SubscriptionRecord[]
  /** In order of position. */
  readonly queue: readonly StoredQueueEntry[]
  readonly received: readonly ReceivedRecord[]
  /** In no particular order. */
  readonly known: readonly KnownRecord[]
  readonly will: WillRecord | undefined
}

/** A publication a session has had already, which is in its queue no more, and may be sent once more by an earlier owner. */
export interface KnownRecord {
  readonly id: MessageId
}

/** One thing a session has, as it is handed over and staged. */
export type SessionPart =
  | { readonly type: 'subscription'; readonly subscription: SubscriptionRecord }
  /** `wasSent`: the client may have it, so it is sent again as a duplicate. */
  | { readonly type: 'entry'; readonly entry: StoredQueueEntry; readonly wasSent: boolean }
  /** `id`: others may still lack it, the new owner's other sessions included; undefined: they all have it. */
  | { readonly type: 'received'; readonly packetId: number; readonly id: MessageId | undefined }
  | { readonly type: 'will'; readonly will: WillRecord }
  | (KnownRecord & { readonly type: 'known' })
  /** Its client published it, and it is still owed to some node. Not kept on disk: the old owner goes on owing it. */
  | { readonly type: 'debt'; readonly debt: Debt }

/**
 * The one way durable session state changes (DESIGN section 10). Every method queues its change without blocking and
 * returns the sequence that must be committed before anybody is told of it.
 *
 * Ordering, loss, failure: as `Store`; each call is atomic. `load` is only called before the first change.
 */
export interface SessionJournal {
  putSession(record: SessionRecord): number
  /** Removes the session with everything it has. Unknown client ids are fine. */
  deleteSession(clientId: ClientId): number
  /**
   * As `deleteSession`, of a session that is there, but the messages at these positions, of which there is at least one, stay as
   * its estate, beside any later session of that name.
   */
  bequeath(record: SessionRecord, positions: readonly number[]): EstateId
  /** As `bequeath`, of messages, of which there is at least one, that the session, which goes on, never had. */
  leave(record: SessionRecord, messages: readonly QueuedRecord[]): EstateId
  /** These messages of an estate are on their way to others: they go, and the estate when nothing is left of it. */
  dequeueEstate(estate: EstateId, positions: readonly number[]): number
  /** Adds, or replaces the one with the same filter. */
  putSubscription(clientId: ClientId, subscription: SubscriptionRecord): number
  deleteSubscription(clientId: ClientId, filter: string): number
  enqueue(clientId: ClientId, message: QueuedRecord): number
  dequeue(clientId: ClientId, position: number): number
  /** The client has a queued QoS 2 message (PUBREC): the message itself may go, its position stays until `dequeue`. */
  release(clientId: ClientId, position: number): number
  /**
   * A QoS 2 PUBLISH with this packet identifier was taken from the client, and routed under this id; in the same change this
   * node's sessions got it.
   */
  putReceived(clientId: ClientId, packetId: number, id: MessageId | undefined): number
  /** The client released it (PUBREL): the identifier may be used for another message. */
  deleteReceived(clientId: ClientId, packetId: number): number
  putKnown(clientId: ClientId, known: KnownRecord): number
  /** Everything that was put: no earlier owner sends anything more. Nothing is fine. */
  deleteKnown(clientId: ClientId): number
  putWill(clientId: ClientId, will: WillRecord): number
  /** No will is fine. */
  deleteWill(clientId: ClientId): number
  /**
   * Begins to stage a session that another node hands over, in place of what was staged under that client id before. It lies
   * beside the session of that name there may be.
   */
  beginStaged(record: SessionRecord, origin: StagedOrigin): number
  /** Adds to what is staged. */
  stage(clientId: ClientId, part: SessionPart): number
  /** Nothing staged is fine. */
  discardStaged(clientId: ClientId): number
  /** Puts what is staged in the place of the session of that name, which is removed, in one atomic change. */
  activateStaged(record: SessionRecord): number
  /**
   * Makes all changes that `change` makes, of whatever sessions, in one atomic batch; they share one sequence. Not to be
   * nested.
   */
  atomically(change: () => void): void
  /** Sequence of the last change made, 0 before the first. */
  readonly appended: number
  /** Sequence up to which changes are committed. */
  readonly committed: number
  onCommitted(listener: (upTo: number) => void): void
  /** Every stored session, staged one and estate, in no particular order. Throws `GrapevineError` STORE_CORRUPT naming the key. */
  load(): AsyncIterable<StoredSession>
}
