import type { BacklogSpec } from '../load/backlog.ts'
import type { Scenario } from './scenario.ts'

const metrics: Scenario['metrics'] = [
  { key: 'deliveredPerSecond', title: 'delivered', unit: '/s', better: 'higher' },
  { key: 'delivered', title: 'messages', unit: '' },
  { key: 'lost', title: 'lost', unit: '' },
  { key: 'duplicated', title: 'doubled', unit: '' },
]

/** What a broker has stored before the subscriber is there, and how fast it hands it over. */
export const backlogScenarios: readonly Scenario[] = [
  {
    id: 'queue-drain',
    title: 'Offline queues drained',
    description: '50 persistent sessions return to 1000 queued messages each; 256 B, QoS 1',
    metrics,
    needs: { qos: 1 },
    against: 'brokers',
    measure: backlog({ kind: 'queue', subscribers: 50, messages: 1000, payloadBytes: 256 }),
  },
  {
    id: 'retained-burst',
    title: 'Retained burst',
    description: '10 clients subscribe to a wildcard over 10,000 retained messages; 256 B, QoS 1',
    metrics,
    needs: { qos: 1, retained: true },
    against: 'brokers',
    measure: backlog({ kind: 'retained', subscribers: 10, messages: 10_000, payloadBytes: 256 }),
  },
]

function backlog(spec: BacklogSpec): Scenario['measure'] {
  return async ({ load, target }) => {
    const result = await load.request({ kind: 'backlog', spec, target })
    const metrics = { ...result }
    return result.lost > 0 ? { metrics, fault: `${result.lost} stored messages did not come` } : { metrics }
  }
}
