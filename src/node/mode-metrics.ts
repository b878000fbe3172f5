import type { Coordinator } from '../../coordination/coordinator.ts'
import type { InterestExchange } from '../../gossip/interest-exchange.ts'
import type { Metric } from '../core/ports/node-status.ts'
import type { SwitchPhase } from '../core/ports/subscription-mode.ts'

const PHASES: Record<SwitchPhase, number> = { 'write-both': 1, compare: 2, 'cut-over': 3, 'stop-old': 4 }

/** How changes of subscriptions travel, how switches went, and what they cost the coordination store. */
export function modeMetrics(
  { mode, routes }: Pick<Coordinator, 'mode' | 'routes'>,
  { feeds }: Pick<InterestExchange, 'feeds'>,
): Metric[] {
  const counter = (name: string, help: string, read: () => number): Metric => ({
    name: `mode_${name}_total`,
    type: 'counter',
    help,
    read,
  })
  const gauge = (name: string, help: string, read: () => number): Metric => ({
    name: `mode_${name}`,
    type: 'gauge',
    help,
    read,
  })
  return [
    gauge('is_etcd', '1 while subscriptions travel through the coordination store, 0 by gossip.', () =>
      mode.status().mode === 'etcd' ? 1 : 0,
    ),
    gauge(
      'switch_phase',
      'Of a switch under way: 1 write-both, 2 compare, 3 cut-over, 4 stop-old; 0 without one.',
      () => {
        const { current } = mode.status()
        return current === undefined ? 0 : PHASES[current.phase]
      },
    ),
    counter('switches', 'Switches that this node saw end well.', () => mode.stats.switched),
    counter('switches_aborted', 'Switches that this node saw given up.', () => mode.stats.aborted),
    counter('comparisons', "Comparisons of a member's two feeds.", () => feeds.stats.comparisons),
    counter('mismatches', 'Of those, how many found a difference.', () => feeds.stats.mismatches),
    counter(
      'record_writes',
      'Transactions that wrote interest into the coordination store.',
      () => routes.stats.writes,
    ),
    counter(
      'record_bytes',
      'Bytes of keys and values of interest written into the coordination store.',
      () => routes.stats.bytesWritten,
    ),
    counter(
      'record_writes_refused',
      'Writes of interest that the coordination store had no room for.',
      () => routes.stats.refused,
    ),
    counter(
      'record_deltas',
      'Delta messages of other members read from the coordination store.',
      () => feeds.stats.recordedDeltas,
    ),
    counter(
      'records_rejected',
      'Records of other members that could not be read.',
      () => feeds.stats.recordsRejected,
    ),
  ]
}
