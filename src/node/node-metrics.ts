import type { Metric } from '../core/ports/node-status.ts'
import type { BrokerNode } from './broker-node.ts'

function counter(name: string, help: string, read: () => number): Metric {
  return { name: `${name}_total`, type: 'counter', help, read }
}

function gauge(name: string, help: string, read: () => number): Metric {
  return { name, type: 'gauge', help, read }
}

/** Every number a node exports, with its meaning and unit. */
export function nodeMetrics({
  mqtt,
  localIndex,
  remoteIndex,
  coordinator,
  interest,
  forwarder,
}: BrokerNode): Metric[] {
  const { stats, sessions } = mqtt
  return [
    gauge('mqtt_connections', 'Open client connections.', () => sessions.connectionCount),
    gauge('mqtt_sessions', 'Sessions held here, connected or not.', () => sessions.sessionCount),
    counter('mqtt_connections_accepted', 'Client connections accepted.', () => stats.connectionsAccepted),
    counter(
      'mqtt_connections_closed',
      'Client connections closed, by either side.',
      () => stats.connectionsClosed,
    ),
    counter(
      'mqtt_connects_refused',
      'CONNECTs refused and connections turned away.',
      () => stats.connectsRefused,
    ),
    counter('mqtt_packet_faults', 'Connections closed because of a bad packet.', () => stats.packetFaults),
    counter('mqtt_publishes_received', 'PUBLISH packets from clients.', () => stats.publishesReceived),
    counter('mqtt_publishes_sent', 'PUBLISH packets to clients.', () => stats.publishesSent),
    counter('mqtt_received_bytes', 'Bytes from clients.', () => stats.bytesReceived),
    counter('mqtt_sent_bytes', 'Bytes to clients.', () => stats.bytesSent),
    counter(
      'mqtt_dropped_slow_consumer',
      'QoS 0 messages dropped: the client did not read.',
      () => stats.droppedSlowConsumer,
    ),
    counter(
      'mqtt_dropped_queue_full',
      'Messages dropped: the session queue was full.',
      () => stats.droppedQueueFull,
    ),
    counter(
      'mqtt_dropped_too_large',
      'Messages dropped: over the Maximum Packet Size of the client.',
      () => stats.droppedTooLarge,
    ),
    counter('mqtt_dropped_expired', 'Messages dropped: they expired in a queue.', () => stats.droppedExpired),
    counter(
      'mqtt_sessions_taken_over',
      'Connections ended by a later CONNECT, here or elsewhere.',
      () => stats.sessionsTakenOver,
    ),
    counter('mqtt_sessions_expired', 'Sessions ended by their expiry interval.', () => stats.sessionsExpired),
    counter('mqtt_wills_published', 'Will messages published.', () => stats.willsPublished),
    gauge(
      'routing_local_subscriptions',
      'Subscriptions of clients of this node.',
      () => localIndex.subscriptionCount,
    ),
    gauge('routing_local_filters', 'Distinct filters of clients of this node.', () => localIndex.filterCount),
    gauge('routing_remote_filters', 'Filters known of other nodes.', () => remoteIndex.filterCount),
    gauge(
      'cluster_members',
      'Live members of the cluster, this node included.',
      () => coordinator.members.length,
    ),
    gauge('cluster_suspended', '1 while this node cannot hold its lease.', () =>
      coordinator.isSuspended ? 1 : 0,
    ),
    gauge(
      'cluster_peers_unsynchronized',
      'Peers whose interest is not known here.',
      () => interest.missing.length,
    ),
    counter('gossip_deltas_sent', 'Interest delta messages published.', () => interest.stats.deltasSent),
    counter(
      'gossip_deltas_received',
      'Interest delta messages of members received.',
      () => interest.stats.deltasReceived,
    ),
    counter(
      'gossip_changes_applied',
      'Subscription changes of other nodes applied.',
      () => interest.stats.changesApplied,
    ),
    counter('gossip_gaps', 'Deltas that came while an earlier one was missing.', () => interest.stats.gaps),
    counter('gossip_snapshots_sent', 'Interest snapshots sent in full.', () => interest.stats.snapshotsSent),
    counter(
      'gossip_snapshots_received',
      'Interest snapshots received.',
      () => interest.stats.snapshotsReceived,
    ),
    counter(
      'gossip_repairs',
      'Snapshots pulled because changes were lost or differed.',
      () => interest.stats.repairs,
    ),
    counter(
      'gossip_rejected',
      'Interest messages that were malformed or lied.',
      () => interest.stats.rejected,
    ),
    counter(
      'gossip_ignored',
      'Interest messages of nodes that are not members.',
      () => interest.stats.ignored,
    ),
    counter(
      'forward_sent',
      'Publications sent to other nodes, resends included.',
      () => forwarder.stats.sent,
    ),
    counter(
      'forward_received',
      'Publications received from other nodes, without duplicates.',
      () => forwarder.stats.received,
    ),
    counter(
      'forward_dropped',
      'QoS 0 publications not sent: no link, or its queue was full.',
      () => forwarder.stats.dropped,
    ),
    counter(
      'forward_duplicates',
      'Publications received again after a reconnect, ignored.',
      () => forwarder.stats.duplicates,
    ),
    counter(
      'forward_abandoned',
      'QoS ≥ 1 publications given up: the node left the cluster.',
      () => forwarder.stats.abandoned,
    ),
    counter(
      'forward_expired',
      'Publications from other nodes that had expired.',
      () => forwarder.stats.expired,
    ),
    counter('forward_rejected', 'Malformed forward frames.', () => forwarder.stats.rejected),
  ]
}
