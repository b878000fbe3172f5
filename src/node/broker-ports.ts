import type { OwnerLostPolicy } from '../../coordination/claim-policy.ts'
import type { ForwarderOptions } from '../../routing/peer-forwarder.ts'
import type { SharedStrategy } from '../../routing/shared-tickets.ts'
import type { NodeId } from '../core/ids.ts'
import type { Clock } from '../core/ports/clock.ts'
import type { CoordinationStore } from '../core/ports/coordination-store.ts'
import type { EpochMemory } from '../core/ports/epoch-memory.ts'
import type { AuthenticationMethod } from '../core/ports/enhanced-authentication.ts'
import type { Gossip } from '../core/ports/gossip.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { Metric } from '../core/ports/node-status.ts'
import type { OutboxJournal } from '../core/ports/outbox-journal.ts'
import type { PeerTransport } from '../core/ports/peer-transport.ts'
import type { Random } from '../core/ports/random.ts'
import type { RetainedJournal } from '../core/ports/retained.ts'
import type { SeenJournal } from '../core/ports/seen-journal.ts'
import type { SessionJournal } from '../core/ports/session-journal.ts'
import type { Store } from '../core/ports/store.ts'
import type { SpanExporter } from '../core/ports/tracing.ts'
import type { SubscriptionMode } from '../core/ports/subscription-mode.ts'
import type { MqttOptions } from '../mqtt/mqtt-services.ts'

/** Everything a broker touches outside itself. */
export interface BrokerPorts {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly store: Store
  readonly journal: SessionJournal
  readonly retainedJournal: RetainedJournal
  readonly outboxJournal: OutboxJournal
  readonly seenJournal: SeenJournal
  readonly authenticationMethods: readonly AuthenticationMethod[]
  readonly coordinationStore: CoordinationStore
  /** Says when that store has no room for new persistent sessions. */
  readonly storeSize: { isNearQuota(): boolean }
  /** Why that store refuses what a node needs, and what to do about it; undefined while it does not. */
  readonly storeRefusal: { readonly reason: string | undefined }
  /** What is measured of that store and of the links. */
  readonly portMetrics: readonly Metric[]
  /** Where spans of traced publications go, beside whoever traces. */
  readonly spanExporter?: SpanExporter
  /** What is remembered of that store. Without it, it is what it always was. */
  readonly epochMemory?: EpochMemory
  readonly transport: PeerTransport
  readonly gossip: Gossip
}

export interface BrokerOptions {
  readonly nodeId: NodeId
  readonly cluster: string
  readonly version: string
  /** Of the data directory whose lock this process holds. */
  readonly dataDirId?: string
  readonly coordination: {
    readonly store: 'embedded' | 'etcd'
    readonly leaseTtlMs: number
    readonly renewIntervalMs: number
    readonly leaseMarginMs: number
    readonly onOwnerLost: OwnerLostPolicy
    /** Bytes of wills this node keeps there at most; undefined: 64 MiB. */
    readonly keptWillBytesMax?: number
  }
  readonly routing: {
    /** Of a cluster that has not settled it yet; undefined: gossip. */
    readonly mode?: SubscriptionMode
    readonly batchIntervalMs: number
    readonly digestIntervalMs: number
    readonly sharedStrategy: SharedStrategy
  }
  readonly forwarding: ForwarderOptions
  readonly retained: { readonly digestIntervalMs: number; readonly inlineBytesMax: number }
  readonly mqtt: MqttOptions
}

/** Where the node can be reached; known once its listeners are bound. */
export interface BrokerAddresses {
  readonly mqttAddress: string
  readonly adminUrl: string
}
