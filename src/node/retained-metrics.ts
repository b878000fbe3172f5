import type { Metric } from '../core/ports/node-status.ts'
import type { BrokerNode } from './broker-node.ts'

function gauge(name: string, help: string, read: () => number): Metric {
  return { name: `retained_${name}`, type: 'gauge', help, read }
}

/** What is retained here, and how often payloads that are elsewhere were needed. */
export function retainedMetrics({
  mqtt: { retained },
  retainedPlacement: placement,
}: Pick<BrokerNode, 'mqtt' | 'retainedPlacement'>): Metric[] {
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
    fetches('found'),
    fetches('missing'),
  ]
}
