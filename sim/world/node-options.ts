import type { BrokerOptions } from '../../src/node/broker-ports.ts'
import type { NodeId } from '../../src/core/ids.ts'
import type { SubscriptionMode } from '../../src/core/ports/subscription-mode.ts'

/** The configuration's defaults, with caps so high that no run meets them: what is lost then is lost by a fault of ours. */
export function nodeOptions(nodeId: NodeId, mode: SubscriptionMode = 'gossip'): BrokerOptions {
  return {
    nodeId,
    cluster: 'sim',
    version: '0.0.0-sim',
    dataDirId: `disk-of-${nodeId}`,
    coordination: {
      store: 'etcd',
      leaseTtlMs: 10_000,
      renewIntervalMs: 2500,
      leaseMarginMs: 1500,
      onOwnerLost: 'wait',
    },
    routing: { mode, batchIntervalMs: 20, digestIntervalMs: 1000, sharedStrategy: 'round-robin' },
    retained: { digestIntervalMs: 5000, inlineBytesMax: 1024 },
    forwarding: { acceptTimeoutMs: 1000, outboxMessagesMax: 1_000_000, outboxBytesMax: 268_435_456 },
    mqtt: {
      keepAliveMax: 0,
      packetBytesMax: 1_048_576,
      topicLevelsMax: 128,
      receiveMax: 1024,
      connectionsMax: 1_000_000,
      expiryIntervalMax: 604_800,
      queueMessagesMax: 1_000_000,
      queueBytesMax: 268_435_456,
      queueDrop: 'newest',
      inflightMax: 32,
      subscriptionsMax: 10_000,
      wildcardLevelsMax: 20_000,
      topicAliasMax: 16,
      anonymous: true,
      retainAvailable: true,
      wildcardAvailable: true,
      sharedAvailable: true,
      responseTopicPrefix: '',
      retainedMessagesMax: 1_000_000,
      retainedBytesMax: 268_435_456,
      retainedTombstoneTtlMs: 86_400_000,
      subackBarrier: 'local',
      barrierTimeoutMs: 2000,
      sysIntervalMs: 0,
      suspendHoldMs: 30_000,
    },
  }
}
