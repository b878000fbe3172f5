import type { ClaimStats } from '../../coordination/claim-stats.ts'
import type { Metric } from '../core/ports/node-status.ts'

/** Claims of sessions, and what they cost the coordination store. */
export function claimMetrics(stats: Readonly<ClaimStats>): Metric[] {
  const counter = (name: string, help: string, read: () => number): Metric => ({
    name: `claims_${name}_total`,
    type: 'counter',
    help,
    read,
  })
  const refused = Object.keys(stats.refused) as (keyof ClaimStats['refused'])[]
  return [
    counter('started', 'Claims of sessions that had to ask the coordination store.', () => stats.claims),
    counter('succeeded', 'Claims that made this node the owner.', () => stats.claimed),
    ...refused.map(reason =>
      counter(
        `refused_${reason.replaceAll('-', '_')}`,
        `Claims refused: ${reason}.`,
        () => stats.refused[reason],
      ),
    ),
    counter('races_lost', 'Attempts that lost to another node.', () => stats.racesLost),
    counter(
      'sessions_lost',
      'Sessions whose state was given up: their owner is dead (sessions.onOwnerLost: fresh).',
      () => stats.sessionsLost,
    ),
    counter('batches', 'Batches of claims sent to the coordination store.', () => stats.batches),
    counter('batched_operations', 'Operations in these batches.', () => stats.batchedOperations),
    counter('batches_full', 'Batches that had no room for more.', () => stats.fullBatches),
    counter('batches_unknown', 'Batches whose outcome was not learnt.', () => stats.unknownBatches),
    counter('keys_written', 'Keys that batches put or deleted.', () => stats.writes),
    counter('written_bytes', 'Bytes of keys and values that batches wrote.', () => stats.bytesWritten),
    {
      name: 'kept_will_bytes',
      type: 'gauge',
      help: 'Bytes of wills of this node’s clients kept in the coordination store.',
      read: () => stats.keptWillBytes,
    },
    {
      name: 'wills_not_kept_total',
      type: 'counter',
      help: 'Wills that stay with this node alone: too large, or over sessions.keptWillBytesMax.',
      read: () => stats.willsLeftOut,
    },
    counter(
      'rewrites_dropped',
      'Changes of an expiry interval or will not kept: too many waited.',
      () => stats.rewritesDropped,
    ),
  ]
}
