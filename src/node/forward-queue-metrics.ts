import { LatencyHistogram } from '../../routing/latency-histogram.ts'
import type { ForwardQueueStatus } from '../../routing/forwarder-stats.ts'
import type { PeerForwarder } from '../../routing/peer-forwarder.ts'
import type { SharedGroups } from '../../routing/shared-groups.ts'
import type { Metric } from '../core/ports/node-status.ts'
import type { AwayNodes } from './away-nodes.ts'

/** What waits for other nodes, in memory and on disk, and how long they take to accept. */
export function forwardQueueMetrics(
  forwarder: PeerForwarder,
  shared: SharedGroups,
  away: AwayNodes,
): Metric[] {
  const { stats, acceptLatency } = forwarder
  const sum = (of: (queue: ForwardQueueStatus) => number) => (): number =>
    forwarder.peers.queues().reduce((total, queue) => total + of(queue), 0)
  return [
    {
      name: 'forward_waiting',
      type: 'gauge',
      help: 'QoS ≥ 1 publications that other nodes have not accepted.',
      read: sum(({ waiting }) => waiting),
    },
    {
      name: 'forward_outbox_messages',
      type: 'gauge',
      help: 'Publications kept on disk for nodes that are late or gone.',
      read: sum(({ outboxMessages }) => outboxMessages),
    },
    {
      name: 'forward_outbox_bytes',
      type: 'gauge',
      help: 'Bytes kept on disk for nodes that are late or gone.',
      read: sum(({ outboxBytes }) => outboxBytes),
    },
    {
      name: 'forward_nodes_late',
      type: 'gauge',
      help: 'Members that get QoS ≥ 1 through an outbox on disk at present.',
      read: sum(({ presence, isThroughOutbox }) => (presence === 'member' && isThroughOutbox ? 1 : 0)),
    },
    {
      name: 'forward_nodes_away',
      type: 'gauge',
      help: 'Nodes that are gone and for which messages are kept.',
      read: sum(({ presence }) => (presence === 'away' ? 1 : 0)),
    },
    {
      name: 'forward_nodes_away_unknown',
      type: 'gauge',
      help: 'Of those, nodes for which everything at QoS ≥ 1 is kept, since what they want is not known here.',
      read: () => away.unknown.length,
    },
    {
      name: 'forward_nodes_full',
      type: 'gauge',
      help: 'Members whose queue is full: who publishes something for them at QoS ≥ 1 is not read until there is room.',
      read: sum(({ isFull }) => (isFull ? 1 : 0)),
    },
    {
      name: 'forward_held_back_total',
      type: 'counter',
      help: 'Publications given to a node whose queue was full, so that their publishers were not read further.',
      read: () => stats.heldBack,
    },
    {
      name: 'forward_lateness_total',
      type: 'counter',
      help: 'Times a member accepted nothing for routing.acceptTimeoutMs.',
      read: () => stats.lateness,
    },
    {
      name: 'forward_debts_taken_total',
      type: 'counter',
      help: 'Publications in outboxes of other nodes that a session brought along whose client had published them.',
      read: () => stats.debtsTaken,
    },
    {
      name: 'forward_debts_left_total',
      type: 'counter',
      help: 'Sessions that left with too many such publications to bring along: what their clients publish next may overtake them.',
      read: () => stats.debtsLeft,
    },
    {
      name: 'forward_stored_total',
      type: 'counter',
      help: 'Publications put into an outbox.',
      read: () => stats.stored,
    },
    {
      name: 'routing_shared_local_total',
      type: 'counter',
      help: 'Messages of shared subscriptions given to members of this node.',
      read: () => shared.stats.local,
    },
    {
      name: 'routing_shared_forwarded_total',
      type: 'counter',
      help: 'Messages of shared subscriptions sent to a member of another node.',
      read: () => shared.stats.forwarded,
    },
    {
      name: 'routing_shared_redispatched_total',
      type: 'counter',
      help:
        'Messages of shared subscriptions given to another member: the node chosen first had none any more, or vanished, or the ' +
        'session of the member ended before it had acknowledged them.',
      read: () => shared.stats.redispatched,
    },
    {
      name: 'routing_shared_refused_total',
      type: 'counter',
      help: 'Messages of shared subscriptions given back: there was no member here any more.',
      read: () => forwarder.receiverStats.refused,
    },
    {
      name: 'forward_waiting_max',
      type: 'gauge',
      help: 'QoS ≥ 1 publications that the node with the longest queue has not accepted.',
      read: () => forwarder.peers.queues().reduce((most, { waiting }) => Math.max(most, waiting), 0),
    },
    {
      name: 'forward_accept_seconds',
      type: 'histogram',
      help: 'Time from sending a QoS ≥ 1 publication to a node to its acceptance there, outboxes left aside, in seconds.',
      bounds: LatencyHistogram.boundsMs.map(ms => ms / 1000),
      read: () => ({ counts: acceptLatency.counts, sum: acceptLatency.sumMs / 1000 }),
    },
  ]
}
