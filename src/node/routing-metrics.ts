import type { Metric } from '../core/ports/node-status.ts'
import type { BrokerNode } from './broker-node.ts'

type Labels = Readonly<Record<string, string>>

function counter(name: string, help: string, labels: Labels, read: () => number): Metric {
  return { name: `${name}_total`, type: 'counter', help, labels, read }
}

/** Where messages went, what was wasted, what was lost, and how often nodes differed about each other's interest. */
export function routingMetrics(
  broker: Pick<
    BrokerNode,
    'mqtt' | 'router' | 'forwarder' | 'interest' | 'sharedGroups' | 'retainedPlacement'
  >,
): Metric[] {
  const { router, interest, forwarder } = broker
  const { receiverStats } = forwarder
  const routed = (to: keyof typeof router.stats): Metric =>
    counter(
      'routing_publications',
      'Publications taken from clients here, by where their ordinary subscribers are as far as known here: nowhere, here, ' +
        'elsewhere, both. (here + nowhere) / all is the share that stays on this node.',
      { to },
      () => router.stats[to],
    )
  const unmatched = (sender: string, read: () => number): Metric =>
    counter(
      'forward_unmatched',
      'Publications from other nodes that matched no subscriber here. sender="knows": false positives of bloom filters, and ' +
        'filters just unsubscribed. sender="waits": it does not know what this node wants yet.',
      { sender },
      read,
    )
  const digests = (verdict: string, read: () => number): Metric =>
    counter(
      'gossip_digests',
      'Summaries of other nodes’ interest compared with what is known here: agrees, behind (changes were lost: repaired), ' +
        'differs (checksums differ: repaired), unknown (nothing to compare with yet).',
      { verdict },
      read,
    )
  const gone = (way: string, read: () => number): Metric =>
    counter(
      'gossip_gone_interests',
      'Last interests of nodes that are gone: restored from disk, taken from a peer, given to one, corrupt on disk (then taken ' +
        'from a peer, or the node matches everything).',
      { way },
      read,
    )
  return [
    routed('nowhere'),
    routed('here'),
    routed('elsewhere'),
    routed('both'),
    unmatched('knows', () => receiverStats.unmatched),
    unmatched('waits', () => receiverStats.unmatchedUnknown),
    digests('agrees', () => interest.stats.digestsAgreed),
    digests('behind', () => interest.stats.digestsBehind),
    digests('differs', () => interest.stats.digestsDiffered),
    digests('unknown', () => interest.stats.digestsUnknown),
    gone('restored', () => interest.gone.stats.restored),
    gone('taken', () => interest.gone.stats.taken),
    gone('given', () => interest.gone.stats.given),
    gone('corrupt', () => interest.gone.stats.corrupt),
    ...dropMetrics(broker),
  ]
}

/** Every way in which a message can be lost, under one name. */
function dropMetrics({
  mqtt,
  forwarder,
  sharedGroups,
  retainedPlacement,
}: Pick<BrokerNode, 'mqtt' | 'forwarder' | 'sharedGroups' | 'retainedPlacement'>): Metric[] {
  const { stats } = mqtt
  const dropped = (cause: string, read: () => number): Metric =>
    counter(
      'messages_dropped',
      'Messages dropped, by cause. slow_consumer: QoS 0, its client did not read. session_full: the queue of the session. ' +
        'too_large: over the Maximum Packet Size of the client. expired: in the queue of a session. no_link: QoS 0 to a node ' +
        'without a link, or with a full queue. expired_between_nodes: on arrival from another node. outbox_full, ' +
        'outbox_expired: in the outbox of a node that was late or gone. node_forgotten: kept for a node that was given up. ' +
        'group_empty: no node had a member of the shared subscription any more. payload_missing: a large retained message whose ' +
        'payload no node had that could be asked, once for all who waited.',
      { cause },
      read,
    )
  return [
    dropped('slow_consumer', () => stats.droppedSlowConsumer),
    dropped('session_full', () => stats.droppedQueueFull),
    dropped('too_large', () => stats.droppedTooLarge),
    dropped('expired', () => stats.droppedExpired),
    dropped('no_link', () => forwarder.stats.dropped),
    dropped('expired_between_nodes', () => forwarder.receiverStats.expired),
    dropped('outbox_full', () => forwarder.stats.outboxDropped),
    dropped('outbox_expired', () => forwarder.stats.outboxExpired),
    dropped('node_forgotten', () => forwarder.stats.abandoned),
    dropped('group_empty', () => sharedGroups.stats.nobody),
    dropped('payload_missing', () => retainedPlacement.fetches.stats.undelivered),
  ]
}
