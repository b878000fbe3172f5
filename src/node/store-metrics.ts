import { LatencyHistogram } from '../../coordination/latency-histogram.ts'
import type { StoreGuard } from '../../coordination/store-guard.ts'
import type { StoreSize } from '../../coordination/store-size.ts'
import { storeCalls, storeFailures } from '../../coordination/store-stats.ts'
import type { Metric } from '../core/ports/node-status.ts'

const BREAKER_STATES = { closed: 0, 'half-open': 1, open: 2 } as const

/** What a node asks of the coordination store, how it fares, and how full the store is. */
export function storeMetrics({ stats, breaker, refusal }: StoreGuard, size: StoreSize): Metric[] {
  const counter = (name: string, help: string, read: () => number): Metric => ({
    name: `coordination_store_${name}_total`,
    type: 'counter',
    help,
    read,
  })
  const gauge = (name: string, help: string, read: () => number): Metric => ({
    name: `coordination_store_${name}`,
    type: 'gauge',
    help,
    read,
  })
  return [
    ...storeCalls.map((call): Metric => ({
      name: 'coordination_store_call_seconds',
      type: 'histogram',
      help: 'Time calls to the coordination store took, failed ones included, in seconds.',
      labels: { call },
      bounds: LatencyHistogram.bounds,
      read: () => stats.latency[call].read(),
    })),
    ...storeFailures.map((kind): Metric => ({
      name: 'coordination_store_failures_total',
      type: 'counter',
      help:
        'Calls to the coordination store that failed: unavailable (not carried out), unknown (perhaps carried out), ' +
        'refused (the store said no), held (not made: the breaker was open).',
      labels: { kind },
      read: () => stats.failures[kind],
    })),
    gauge(
      'breaker_state',
      '0 while calls to the coordination store pass, 2 while they fail at once, 1 while one tries again.',
      () => BREAKER_STATES[breaker.state],
    ),
    counter('breaker_opened', 'Times repeated failures stopped calls.', () => breaker.opened),
    gauge(
      'refusing',
      '1 while the store answers but refuses what this node needs: no permission, wrong password, no room. /ready says why.',
      () => (refusal.reason === undefined ? 0 : 1),
    ),
    counter('watch_resets', 'Times a watch lost continuity and was read anew.', () => stats.watchResets),
    counter('puts', 'Keys this node wrote.', () => stats.puts),
    counter('deletes', 'Keys this node deleted.', () => stats.deletes),
    counter('put_bytes', 'Bytes of keys and values this node wrote.', () => stats.putBytes),
    counter('session_puts', 'Session records this node wrote.', () => stats.sessionPuts),
    counter(
      'session_put_bytes',
      'Bytes of session records this node wrote, keys included.',
      () => stats.sessionPutBytes,
    ),
    gauge(
      'size_bytes',
      'Bytes the store has on disk, history included; 0 until it told.',
      () => size.status?.sizeBytes ?? 0,
    ),
    gauge('in_use_bytes', 'Bytes of it in use.', () => size.status?.sizeInUseBytes ?? 0),
    gauge(
      'quota_bytes',
      'Bytes at which it refuses writes; 0 when it has no bound.',
      () => size.status?.quotaBytes ?? 0,
    ),
    gauge('alarm', '1 while it takes no writes (NOSPACE or CORRUPT).', () =>
      size.status?.alarm === undefined ? 0 : 1,
    ),
    gauge('nearly_full', '1 while new persistent sessions are refused for want of room.', () =>
      size.isNearQuota() ? 1 : 0,
    ),
  ]
}
