import type { OccasionalLog } from '../core/occasional-log.ts'
import type { Clock } from '../core/ports/clock.ts'
import type { AuthenticationMethod } from '../core/ports/enhanced-authentication.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { Random } from '../core/ports/random.ts'
import type {
  Forwarder,
  InterestListener,
  LocalIndex,
  PublishRouter,
  RouteBarrier,
} from '../core/ports/routing.ts'
import type { SessionJournal } from '../core/ports/session-journal.ts'
import type { SessionOwnership } from '../core/ports/session-ownership.ts'
import type { BarrierLevel } from './barrier-level.ts'
import type { BufferPool } from './buffer-pool.ts'
import type { QueueTotals } from './delivery-queue.ts'
import type { OutputScheduler } from './output-scheduler.ts'
import type { RetainedMessages } from './retained-messages.ts'
import type { SessionRegistry } from './session-registry.ts'
import type { PublishDecoder } from './wire/publish-decoder.ts'
import type { PublishEncoder } from './wire/publish-encoder.ts'

/** What an operator may set about MQTT; see the configuration reference for units and defaults. */
export interface MqttOptions {
  /** Seconds; 0 = the client decides. */
  readonly keepAliveMax: number
  readonly packetBytesMax: number
  readonly topicLevelsMax: number
  readonly receiveMax: number
  /** Topic aliases a client may use; 0 = none. */
  readonly topicAliasMax: number
  /** Whether clients may connect without authentication. */
  readonly anonymous: boolean
  readonly retainAvailable: boolean
  readonly wildcardAvailable: boolean
  readonly sharedAvailable: boolean
  /** Prefix of the Response Information given to clients that ask; empty = none is given. */
  readonly responseTopicPrefix: string
  readonly connectionsMax: number
  /** Seconds. */
  readonly expiryIntervalMax: number
  /** Where v5 clients are sent while the node drains (Server Reference); undefined: nowhere in particular. */
  readonly serverReference?: string | undefined
  /** They are to go there for good. */
  readonly serverMoved?: boolean | undefined
  readonly queueMessagesMax: number
  readonly queueBytesMax: number
  /** Which message a full session queue loses: the one that comes, or the oldest that waits. */
  readonly queueDrop: 'newest' | 'oldest'
  readonly retainedMessagesMax: number
  readonly retainedBytesMax: number
  /** How long a deletion of a retained message is remembered. */
  readonly retainedTombstoneTtlMs: number
  readonly inflightMax: number
  /** Of one session. */
  readonly subscriptionsMax: number
  /** Levels from the first `+` on, of all filters of one session. */
  readonly wildcardLevelsMax: number
  /** Time between updates of `$SYS/broker/…`; 0 = none. */
  readonly sysIntervalMs: number
  /** Connections whose output is held while the node is suspended are closed after this long. */
  readonly suspendHoldMs: number
  /** How far a subscription spreads before SUBACK, unless SUBSCRIBE says otherwise. */
  readonly subackBarrier: BarrierLevel
  /** A barrier not reached by then answers 0x80 and takes the subscription back. */
  readonly barrierTimeoutMs: number
}

/** Counters since the start of the node, and what is queued now; names and meanings as exported in metrics. */
export interface MqttStats {
  connectionsAccepted: number
  connectionsClosed: number
  connectsRefused: number
  packetFaults: number
  publishesReceived: number
  publishesSent: number
  bytesReceived: number
  bytesSent: number
  droppedSlowConsumer: number
  droppedQueueFull: number
  droppedTooLarge: number
  droppedExpired: number
  sessionsTakenOver: number
  sessionsExpired: number
  willsPublished: number
  /** Sessions that moved here and whose old owner did not catch up in time: order across the move is not certain. */
  tailsLate: number
  retainedRefused: number
  /** Of other nodes, not taken because their stamp is too far ahead of this node's clock. */
  retainedFromFuture: number
  /** SUBSCRIBEs answered 0x80 because their barrier was not reached in time. */
  barriersMissed: number
  /** Subscriptions refused because their session had too many, or too many levels behind wildcards. */
  subscriptionsOverQuota: number
  /** At QoS ≥ 1 for the clients of all sessions, those in flight included. */
  readonly queued: QueueTotals
}

/** Everything the MQTT side of a node shares. Handlers name the few they use with `Pick`. */
export interface MqttServices {
  readonly options: MqttOptions
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly ownership: SessionOwnership
  readonly journal: SessionJournal
  readonly index: LocalIndex
  readonly interest: InterestListener
  readonly barrier: RouteBarrier
  readonly router: PublishRouter
  readonly forwarder: Pick<Forwarder, 'heldBack' | 'debtsOf' | 'whenFlushed'>
  readonly retained: RetainedMessages
  /** By name. */
  readonly authenticationMethods: ReadonlyMap<string, AuthenticationMethod>
  readonly sessions: SessionRegistry
  readonly scheduler: OutputScheduler
  readonly pool: BufferPool
  readonly decoder: PublishDecoder
  readonly encoder: PublishEncoder
  readonly stats: MqttStats
  /** Takes the ids of clients whose sessions may have no further subscriptions. */
  readonly overQuota: Pick<OccasionalLog, 'note'>
}
