import type { FlowResult, FlowSpec } from '../load/flow-spec.ts'
import type { Metric, Scenario } from './scenario.ts'

const delivered: Metric = { key: 'deliveredPerSecond', title: 'delivered', unit: '/s', better: 'higher' }
const latencies: readonly [Metric, ...Metric[]] = [
  { key: 'p99Ms', title: 'p99', unit: 'ms', better: 'lower' },
  { key: 'p50Ms', title: 'p50', unit: 'ms', better: 'lower' },
  { key: 'p999Ms', title: 'p99.9', unit: 'ms', better: 'lower' },
  { key: 'maxMs', title: 'max', unit: 'ms', better: 'lower' },
]
const published: Metric = { key: 'publishedPerSecond', title: 'published', unit: '/s' }
const accounts: readonly Metric[] = [
  { key: 'lost', title: 'lost', unit: '' },
  { key: 'duplicated', title: 'doubled', unit: '' },
  { key: 'brokerCores', title: 'broker', unit: 'cores' },
  { key: 'loadCores', title: 'load', unit: 'cores' },
]

/** Small messages in flight per publisher: enough to keep both cores busy, few enough for every broker's queues. */
const smallWindow = 1024
/** At QoS ≥ 1: above it the peers gain nothing, and Grapevine's default receive maximum is 1024. */
export const acknowledgedWindow = 250

/** 10 publishers, each to a subscriber of its own. */
export const pairs: FlowSpec = {
  shape: 'pairs',
  qos: 0,
  payloadBytes: 256,
  publishers: 10,
  subscribers: 10,
  cleanSession: true,
  window: smallWindow,
  ratePerSecond: null,
}

export type FlowScenarioInit = Pick<Scenario, 'id' | 'title' | 'description'> &
  Partial<Pick<Scenario, 'budgets' | 'against' | 'storageSyncs'>> & { spec: FlowSpec }

/**
 * A scenario made of one stream of messages. The closed loop is compared by deliveries per second (its latencies are
 * those of full windows), a fixed rate by p99.
 */
export function flowScenario({ spec, ...init }: FlowScenarioInit): Scenario {
  const shared = spec.shape === 'shared'
  return {
    against: 'brokers',
    ...init,
    metrics:
      spec.ratePerSecond === null
        ? [delivered, published, ...latencies.slice(0, 2), ...accounts]
        : [...latencies, delivered, ...accounts],
    ...(spec.ratePerSecond === null ? {} : { tuneFor: 'latency' as const }),
    needs: { ...(spec.qos === 0 ? {} : { qos: spec.qos }), ...(shared ? { shared } : {}) },
    async measure({ load, target, timing }) {
      const result = await load.request({ kind: 'flow', spec, target, timing })
      const { latency, ...figures } = result
      const { curve, count: _count, ...percentiles } = latency
      const fault = flowFault(spec, result)
      return {
        metrics: { ...figures, ...percentiles },
        latencyCurve: curve,
        ...(fault === undefined ? {} : { fault }),
      }
    },
  }
}

/** What makes a flow's figures void. */
export function flowFault(
  spec: FlowSpec,
  { lost, duplicated, published: sent, delivered: got }: FlowResult,
): string | undefined {
  if (got === 0) return 'nothing was delivered'
  if (spec.qos > 0 && lost > 0) return `${lost} deliveries at QoS ${spec.qos} were lost (${sent} published)`
  if (spec.qos === 2 && duplicated > 0) return `${duplicated} deliveries at QoS 2 were doubled`
  return undefined
}
