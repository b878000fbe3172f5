import type { Metric } from '../core/ports/node-status.ts'
import type { BrokerNode } from './broker-node.ts'

function gauge(name: string, help: string, read: () => number): Metric {
  return { name: `retained_${name}`, type: 'gauge', help, read }
}

function counter(name: string, help: string, read: () => number): Metric {
  return { name: `retained_${name}_total`, type: 'counter', help, read }
}

/** What is retained here, and how often payloads that are elsewhere were needed, and how copies are kept equal. */
export function retainedMetrics({
  mqtt: { retained, stats: clients },
  retainedPlacement: placement,
  retainedSync: { stats: compared },
}: Pick<BrokerNode, 'mqtt' | 'retainedPlacement' | 'retainedSync'>): Metric[] {
  const { stats } = placement.fetches
  const fetches = (outcome: 'found' | 'missing'): Metric => ({
    name: 'retained_fetches_total',
    type: 'counter',
    help: 'Payloads of large retained messages asked of other nodes, for subscribers or to be kept here; missing: no node that could be asked had it.',
    labels: { outcome },
    read: () => stats[outcome],
  })
  return [
    gauge('messages', 'Retained messages of the cluster, as this node knows them.', () => retained.count),
    gauge(
      'held_bytes',
      'Bytes of retained messages in memory and on disk here: topics, properties, and the payloads this node keeps.',
      () => retained.byteCount,
    ),
    gauge(
      'cache_bytes',
      'Bytes of payloads of large retained messages in memory that other nodes keep.',
      () => placement.cache.byteCount,
    ),
    gauge(
      'payloads_misplaced',
      'Payloads of large retained messages that should be here and are not, or are here until their holders have them.',
      () => placement.misplacedCount,
    ),
    counter(
      'flooded',
      'Links closed because a member asked for more retained messages than it may, or did not read them.',
      () => compared.flooded,
    ),
    fetches('found'),
    fetches('missing'),
    counter(
      'refused',
      'Messages of clients of this node not retained: no room (retained.messagesMax, bytesMax).',
      () => clients.retainedRefused,
    ),
    counter(
      'from_future',
      'Retained messages of other nodes not taken: their clock is too far ahead of this one.',
      () => clients.retainedFromFuture,
    ),
    counter(
      'comparisons',
      'Times this node compared its retained messages with another’s because checksums differed.',
      () => compared.passes,
    ),
    counter('repaired', 'Newer retained messages that a comparison brought here.', () => compared.repaired),
    counter('rejected', 'Malformed frames about retained messages.', () => compared.rejected),
  ]
}
