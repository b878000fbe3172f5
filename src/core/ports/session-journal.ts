import type { ClientId, FencingToken } from '../ids.ts'
import type { Publication } from '../publication.ts'
import type { QoS } from '../qos.ts'

/** What is durable of a session beside its subscriptions and messages. */
export interface SessionRecord {
  readonly clientId: ClientId
  /** Token under which this node owns it; a record in the coordination store with another token supersedes it. */
  readonly token: FencingToken
  /** Seconds the session outlives its connection; 0xFFFFFFFF = for ever (MQTT 5 section 3.1.2.11.2). Never 0. */
  readonly expiryIntervalSeconds: number
  /** Wall clock ms of the disconnection; undefined while connected (or when the process died connected). */
  readonly disconnectedAtMs: number | undefined
}

export interface SubscriptionRecord {
  readonly filter: string
  readonly qos: QoS
  readonly noLocal: boolean
  readonly retainAsPublished: boolean
  readonly subscriptionIdentifier: number | undefined
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

export interface StoredSession {
  readonly session: SessionRecord
  readonly subscriptions: readonly SubscriptionRecord[]
  /** In order of position. */
  readonly queue: readonly StoredQueueEntry[]
  /** Packet identifiers of QoS 2 PUBLISH packets taken from the client and not released by it yet. */
  readonly received: readonly number[]
  readonly will: WillRecord | undefined
}

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
  /** Adds, or replaces the one with the same filter. */
  putSubscription(clientId: ClientId, subscription: SubscriptionRecord): number
  deleteSubscription(clientId: ClientId, filter: string): number
  enqueue(clientId: ClientId, message: QueuedRecord): number
  dequeue(clientId: ClientId, position: number): number
  /** The client has a queued QoS 2 message (PUBREC): the message itself may go, its position stays until `dequeue`. */
  release(clientId: ClientId, position: number): number
  /** A QoS 2 PUBLISH with this packet identifier was taken from the client. */
  putReceived(clientId: ClientId, packetId: number): number
  /** The client released it (PUBREL): the identifier may be used for another message. */
  deleteReceived(clientId: ClientId, packetId: number): number
  putWill(clientId: ClientId, will: WillRecord): number
  /** No will is fine. */
  deleteWill(clientId: ClientId): number
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
  /** Every stored session, in no particular order. Throws `GrapevineError` STORE_CORRUPT naming the key. */
  load(): AsyncIterable<StoredSession>
}
