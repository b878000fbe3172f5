import { limits } from '../../src/core/limits.ts'
import { withTwoNodes } from '../mesh/linked-nodes.ts'
import type { Scenario } from '../scenarios/scenario.ts'

const payloadBytes = 256

/**
 * Long enough for a session's whole queue to follow it: one session moves at a time. With less, queues that follow pile up, more of
 * them at once than two cores carry, until sessions come back before theirs had followed, which then moves whole: not takeovers are
 * measured then, but a backlog that the pause decides about.
 */
const pauseMs = (queued: number): number => (queued > limits.snapshotMessagesMax ? 300 : 20)

const configuration = {
  sessions: { drainTimeoutMs: 0 },
  queues: { sessionMessagesMax: 100_000 },
}

function takeover(queued: number, sessions: number): Scenario {
  const messages = queued === 1 ? 'one message' : `${queued.toLocaleString('en-US')} messages`
  return {
    id: `takeover-${queued}`,
    group: 'coordination',
    title: `Takeover with ${messages} queued`,
    description: `${sessions} sessions with ${messages} of ${payloadBytes} B each go from one node to another and back, one at a time, while their client is still connected; from CONNECT to CONNACK with Session Present 1`,
    metrics: [
      { key: 'p99Ms', title: 'p99', unit: 'ms', better: 'lower' },
      { key: 'p50Ms', title: 'p50', unit: 'ms', better: 'lower' },
      { key: 'maxMs', title: 'max', unit: 'ms', better: 'lower' },
      { key: 'takeovers', title: 'takeovers', unit: '' },
      { key: 'lost', title: 'lost', unit: '' },
    ],
    budgets: [{ kind: 'at-most', value: 100 }],
    against: 'etcd',
    contestant: 'two nodes',
    tuneFor: 'latency',
    measure: async context =>
      await withTwoNodes(context, { configuration, secondOn: 'load' }, async ([first, second]) => {
        const { load, timing, target } = context
        const { latency, lost, delivered } = await load.request({
          kind: 'takeover',
          spec: { sessions, queued, payloadBytes, pauseMs: pauseMs(queued) },
          target: { ports: [first.port, second.port], version: target.version },
          timing,
        })
        const { p50Ms, p99Ms, maxMs, count } = latency
        return {
          metrics: { p50Ms, p99Ms, maxMs, takeovers: count, lost, delivered },
          latencyCurve: latency.curve,
          ...(lost === 0 ? {} : { fault: `${lost} queued messages were lost` }),
        }
      }),
  }
}

/** Sessions that are claimed by another node while their owner lives. */
export const takeoverScenarios: readonly Scenario[] = [
  takeover(1, 100),
  takeover(100, 50),
  takeover(10_000, 8),
]
