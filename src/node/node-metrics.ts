import { LatencyHistogram } from '../../coordination/latency-histogram.ts'
import { SPREAD_CLASSES_MS } from '../../gossip/interest-stats.ts'
import { limits } from '../core/limits.ts'
import type { Metric } from '../core/ports/node-status.ts'
import type { BrokerNode } from './broker-node.ts'
import { claimMetrics } from './claim-metrics.ts'
import { forwardQueueMetrics } from './forward-queue-metrics.ts'
import { modeMetrics } from './mode-metrics.ts'
import { promiseMetrics } from './promise-metrics.ts'
import { retainedMetrics } from './retained-metrics.ts'
import { routingMetrics } from './routing-metrics.ts'

function counter(name: string, help: string, read: () => number): Metric {
  return { name: `${name}_total`, type: 'counter', help, read }
}

function gauge(name: string, help: string, read: () => number): Metric {
  return { name, type: 'gauge', help, read }
}

/** Every number a node exports, with its meaning and unit. */
export function nodeMetrics(broker: BrokerNode): Metric[] {
  const { mqtt, localIndex, remoteIndex, coordinator, interest, forwarder, localRouter, sharedGroups, away } =
    broker
  const { stats, sessions } = mqtt
  return [
    gauge('mqtt_connections', 'Open client connections.', () => sessions.connectionCount),
    gauge('mqtt_sessions', 'Sessions held here, connected or not.', () => sessions.sessionCount),
    gauge(
      'mqtt_queued_messages',
      'Messages at QoS ≥ 1 for the clients of all sessions here, connected or not, those in flight included.',
      () => stats.queued.messages,
    ),
    gauge(
      'mqtt_queued_bytes',
      'Bytes of these messages: topic, payload, properties and 64 for each, as the bound of a queue counts.',
      () => stats.queued.bytes,
    ),
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
      'mqtt_sessions_taken_over',
      'Connections ended by a later CONNECT, here or elsewhere.',
      () => stats.sessionsTakenOver,
    ),
    counter('mqtt_sessions_expired', 'Sessions ended by their expiry interval.', () => stats.sessionsExpired),
    gauge(
      'mqtt_ended_sessions_messages',
      'Messages that ended sessions leave to other members of their shared subscriptions, and those do not have yet.',
      () => sessions.estates.count,
    ),
    counter('mqtt_wills_published', 'Will messages published.', () => stats.willsPublished),
    counter(
      'mqtt_session_tails_late',
      'Sessions that moved here and whose old owner did not catch up in time.',
      () => stats.tailsLate,
    ),
    counter(
      'mqtt_subscriptions_refused',
      'Subscriptions refused because their session had as many as sessions.subscriptionsMax or sessions.wildcardLevelsMax say.',
      () => stats.subscriptionsOverQuota,
    ),
    gauge(
      'routing_local_subscriptions',
      'Subscriptions of clients of this node.',
      () => localIndex.subscriptionCount,
    ),
    gauge(
      'routing_shared_unevenness',
      'How unevenly members of a shared subscription here are served, as a ratio: the largest share one member had of the latest ' +
        `messages given to members here (at most ${limits.sharedTallyPerMemberMax} for each, since one last came or went), divided ` +
        'by an even share among those that can take messages now. 1: even. As many as there are such members: one gets everything, ' +
        'as with the strategy sticky and one publisher. The highest of all subscriptions with at least two such members and ' +
        `${limits.sharedTallyPerMemberMin} messages for each; 0 when there is none.`,
      () => localIndex.sharedUnevenness(),
    ),
    gauge('routing_local_filters', 'Distinct filters of clients of this node.', () => localIndex.filterCount),
    gauge('routing_remote_filters', 'Filters known of other nodes.', () =>
      interest.status().reduce((sum, { filters }) => sum + filters, 0),
    ),
    gauge(
      'cluster_members',
      'Live members of the cluster, this node included.',
      () => coordinator.members.length,
    ),
    gauge('cluster_suspended', '1 while this node cannot hold its lease.', () =>
      coordinator.isSuspended ? 1 : 0,
    ),
    gauge(
      'cluster_promised',
      '1 while this node goes on without its lease, by the promises of all other members.',
      () => (coordinator.isPromised ? 1 : 0),
    ),
    gauge('cluster_links_missing', 'Members this node has no link with.', () => broker.unlinked.length),
    ...claimMetrics(coordinator.claimStats),
    ...promiseMetrics(coordinator.promiseStats),
    ...modeMetrics(coordinator, interest),
    counter(
      'session_asks',
      'Times another owner was asked for a session.',
      () => coordinator.sessionAsks.asked,
    ),
    ...(['consent', 'retry', 'unreachable'] as const).map((answer): Metric => ({
      name: 'session_ask_answers_total',
      type: 'counter',
      help: 'What came of asking another owner for a session; unreachable: no link, or silence.',
      labels: { answer },
      read: () => coordinator.sessionAsks[answer],
    })),
    {
      type: 'histogram',
      name: 'session_takeover_seconds',
      help: 'Seconds from asking another owner for a session until it was claimed here.',
      bounds: LatencyHistogram.bounds,
      read: () => coordinator.claimStats.takeovers.read(),
    },
    counter(
      'session_channel_flooded',
      'Links closed because a member sent more about sessions, as requests for them, than one may.',
      () => coordinator.sessionFloods,
    ),
    counter(
      'session_handoffs',
      'Times the owner of a session was asked through the coordination store, for want of a link to it.',
      () => coordinator.sessionHandoffs.asked,
    ),
    ...(['consent', 'moved', 'retry', 'refused', 'unanswered'] as const).map((answer): Metric => ({
      name: 'session_handoff_answers_total',
      type: 'counter',
      help: 'What came of asking through the coordination store; moved: a third node took the session in between; refused: no third node could.',
      labels: { answer },
      read: () => coordinator.sessionHandoffs[answer],
    })),
    counter('leader_terms', 'Terms of leaders seen by this node.', () => coordinator.leaderStats.terms),
    counter('leader_terms_won', 'Terms in which this node led.', () => coordinator.leaderStats.termsWon),
    gauge('leader_is_self', '1 while this node leads the cluster.', () => (coordinator.isLeading ? 1 : 0)),
    gauge('leader_term_age_ms', 'Time since this node learned of the present leader; 0 without one.', () =>
      coordinator.termAgeMs(),
    ),
    counter(
      'leader_campaigns_failed',
      'Attempts to become leader that the coordination store did not answer.',
      () => coordinator.leaderStats.campaignsFailed,
    ),
    counter(
      'leader_sessions_ended',
      'Sessions of dead nodes ended by this node as leader.',
      () => coordinator.leaderStats.sessionsEnded,
    ),
    counter(
      'leader_wills_published',
      'Wills of dead nodes published by this node as leader, repeats included.',
      () => coordinator.leaderStats.published,
    ),
    counter(
      'leader_wills_lost',
      'Wills of dead nodes that were too large to be kept beside their owner.',
      () => coordinator.leaderStats.leftOut,
    ),
    counter(
      'leader_keys_deleted',
      'Left-over keys of dead nodes deleted by this node as leader.',
      () => coordinator.leaderStats.keysDeleted,
    ),
    counter(
      'leader_compactions',
      'Compactions of the coordination store by this node as leader.',
      () => coordinator.leaderStats.compactions,
    ),
    counter(
      'leader_compactions_failed',
      'Compactions that failed.',
      () => coordinator.leaderStats.compactionsFailed,
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
    counter(
      'gossip_deltas_streamed',
      'Interest delta messages sent to a peer by stream.',
      () => interest.stats.deltasStreamed,
    ),
    counter(
      'gossip_repairs_sent',
      'Repairs of interest sent to peers, first ones included.',
      () => interest.stats.repairsSent,
    ),
    counter('gossip_repair_bytes_sent', 'Bytes of repairs sent.', () => interest.stats.repairBytesSent),
    counter(
      'gossip_repairs_received',
      'Repairs received and verified, first ones included.',
      () => interest.stats.repairsReceived,
    ),
    counter(
      'gossip_segments_received',
      'Segments of bloom filters received in repairs.',
      () => interest.stats.segmentsReceived,
    ),
    counter(
      'gossip_flooded',
      'Interest messages dropped because a member sent too much; its link is closed.',
      () => interest.stats.flooded,
    ),
    {
      type: 'histogram',
      name: 'gossip_spread_seconds',
      help: 'Seconds from the first change of a batch of subscription changes until every member had applied it.',
      bounds: SPREAD_CLASSES_MS.map(ms => ms / 1000),
      read: () => ({ counts: interest.stats.spreadCounts, sum: interest.stats.spreadSumMs / 1000 }),
    },
    gauge(
      'gossip_spread_seconds_max',
      'Seconds the slowest of those batches took.',
      () => interest.stats.spreadMaxMs / 1000,
    ),
    counter(
      'routing_barriers_reached',
      'Waits for a subscription to be applied elsewhere that ended well.',
      () => interest.stats.barriersReached,
    ),
    counter(
      'routing_barriers_timed_out',
      'Waits for a subscription to be applied elsewhere given up.',
      () => interest.stats.barriersTimedOut,
    ),
    counter(
      'routing_matches_cut',
      "Matches that gave up walking other nodes' wildcards.",
      () => remoteIndex.cutMatches,
    ),
    gauge(
      'routing_remote_table_bytes',
      "Bytes of the tables of other nodes' exact filters.",
      () => remoteIndex.tableBytes,
    ),
    counter(
      'gossip_repairs',
      "Times a peer's interest was pulled because changes were lost or checksums differed.",
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
      () => forwarder.receiverStats.received,
    ),
    counter(
      'forward_duplicates',
      'Publications received again after a reconnect, ignored.',
      () => forwarder.receiverStats.duplicates,
    ),
    counter('forward_rejected', 'Malformed forward frames.', () => forwarder.stats.rejected),
    counter(
      'forward_duplicate_ids',
      'Publications not delivered again: the same message had come another way.',
      () => localRouter.stats.duplicateIds,
    ),
    ...forwardQueueMetrics(forwarder, sharedGroups, away),
    ...retainedMetrics(broker),
    ...routingMetrics(broker),
  ]
}
