import type { FlowResult, FlowSpec } from '../load/flow-spec.ts'
import type { Measurement, Metric, RunContext, Scenario } from '../scenarios/scenario.ts'
import { flowFault, pairs, acknowledgedWindow } from '../scenarios/flow-scenario.ts'
import { withTwoNodes } from './linked-nodes.ts'

const latencyRate = 20_000

/** Subscribers are known to both nodes when they have their SUBACK: nothing is lost at the start. */
const configuration = {
  sessions: { inflightMax: 1000, drainTimeoutMs: 0 },
  // A fixed rate has no window: what a disturbed machine is late with shall wait and not be dropped.
  queues: { sessionMessagesMax: 1_000_000, sessionBytesMax: 2 ** 30 },
  routing: { subackBarrier: 'all' },
}

interface ForwardFlows {
  /** Publishers and subscribers at the first node. */
  alone: FlowResult
  /** Publishers at the first node, subscribers at the second. */
  forwarded: FlowResult
}

async function bothFlows(
  spec: FlowSpec,
  context: RunContext,
  secondOn: 'broker' | 'load',
  use: (flows: ForwardFlows) => Measurement,
): Promise<Measurement> {
  return await withTwoNodes(context, { configuration, secondOn }, async ([first, second]) => {
    const { load, timing, target } = context
    const at = { version: target.version, port: first.port, pid: first.pid }
    const subscribers = { port: second.port, pid: second.pid }
    const alone = await load.request({ kind: 'flow', spec, target: at, timing })
    const forwarded = await load.request({ kind: 'flow', spec, target: { ...at, subscribers }, timing })
    const fault = flowFault(spec, alone) ?? flowFault(spec, forwarded)
    return { ...use({ alone, forwarded }), ...(fault === undefined ? {} : { fault }) }
  })
}

const accounts: readonly Metric[] = [
  { key: 'lost', title: 'lost', unit: '' },
  { key: 'firstNodeCores', title: 'publishers’ node', unit: 'cores' },
  { key: 'secondNodeCores', title: 'subscribers’ node', unit: 'cores' },
  { key: 'loadCores', title: 'load', unit: 'cores' },
]

function accountsOf({ lost, duplicated, brokerCores, subscriberBrokerCores = 0, loadCores }: FlowResult) {
  return {
    ...{ lost, duplicated, loadCores },
    firstNodeCores: brokerCores,
    secondNodeCores: subscriberBrokerCores,
    brokerCores: brokerCores + subscriberBrokerCores,
  }
}

/** What comes through while every one of 10 publishers has its window full. */
function forwardRate(init: Pick<Scenario, 'id' | 'title' | 'budgets'> & { spec: FlowSpec }): Scenario {
  const { spec, ...named } = init
  return {
    ...named,
    group: 'mesh',
    description:
      '10 publishers at one node, each to a subscriber at another; 256 B; closed loop; the second node shares its core with the load; before it the same flow through the first node alone',
    metrics: [
      { key: 'forwardedPerSecond', title: 'forwarded', unit: '/s', better: 'higher' },
      { key: 'perBusyCore', title: 'per core of the busier node', unit: '/s', better: 'higher' },
      { key: 'alonePerSecond', title: 'one node', unit: '/s' },
      { key: 'p50Ms', title: 'p50', unit: 'ms', better: 'lower' },
      { key: 'p99Ms', title: 'p99', unit: 'ms', better: 'lower' },
      ...accounts,
    ],
    against: 'etcd',
    contestant: 'two nodes',
    measure: async context =>
      await bothFlows(spec, context, 'load', ({ alone, forwarded }) => {
        const { deliveredPerSecond, latency, brokerCores, subscriberBrokerCores = 0 } = forwarded
        return {
          metrics: {
            forwardedPerSecond: deliveredPerSecond,
            perBusyCore: deliveredPerSecond / Math.max(brokerCores, subscriberBrokerCores),
            alonePerSecond: alone.deliveredPerSecond,
            p50Ms: latency.p50Ms,
            p99Ms: latency.p99Ms,
            ...accountsOf(forwarded),
          },
          latencyCurve: latency.curve,
        }
      }),
  }
}

/** What the way over a second node adds at a fixed rate. */
function forwardLatency(init: Pick<Scenario, 'id' | 'title' | 'budgets'> & { spec: FlowSpec }): Scenario {
  const { spec, ...named } = init
  return {
    ...named,
    group: 'mesh',
    description: `10 publishers at one node, each to a subscriber at another; 256 B; ${latencyRate} messages/s, from the time each was due; added is the difference to the same flow through the first node alone, just before; both nodes share a core`,
    metrics: [
      { key: 'addedP99', title: 'added p99', unit: 'ms', better: 'lower' },
      { key: 'addedP50', title: 'added median', unit: 'ms', better: 'lower' },
      { key: 'p50Ms', title: 'p50', unit: 'ms' },
      { key: 'p99Ms', title: 'p99', unit: 'ms' },
      { key: 'aloneP50Ms', title: 'one node: p50', unit: 'ms' },
      { key: 'aloneP99Ms', title: 'p99', unit: 'ms' },
      { key: 'deliveredPerSecond', title: 'delivered', unit: '/s' },
      ...accounts,
    ],
    against: 'etcd',
    contestant: 'two nodes',
    tuneFor: 'latency',
    measure: async context =>
      // The load spins at a fixed rate: it has its core for itself.
      await bothFlows({ ...spec, ratePerSecond: latencyRate }, context, 'broker', ({ alone, forwarded }) => ({
        metrics: {
          addedP99: Math.max(0, forwarded.latency.p99Ms - alone.latency.p99Ms),
          addedP50: Math.max(0, forwarded.latency.p50Ms - alone.latency.p50Ms),
          p50Ms: forwarded.latency.p50Ms,
          p99Ms: forwarded.latency.p99Ms,
          aloneP50Ms: alone.latency.p50Ms,
          aloneP99Ms: alone.latency.p99Ms,
          deliveredPerSecond: forwarded.deliveredPerSecond,
          ...accountsOf(forwarded),
        },
        latencyCurve: forwarded.latency.curve,
      })),
  }
}

const qos1: FlowSpec = { ...pairs, qos: 1, window: acknowledgedWindow }

/** From a publisher at one node to a subscriber at another. */
export const forwardScenarios: readonly Scenario[] = [
  forwardRate({
    id: 'mesh-forward',
    title: 'Between two nodes, QoS 0',
    spec: pairs,
    budgets: [{ kind: 'at-least', value: 500_000 }],
  }),
  forwardRate({ id: 'mesh-forward-qos1', title: 'Between two nodes, QoS 1', spec: qos1 }),
  forwardLatency({
    id: 'mesh-latency',
    title: 'Latency between two nodes, QoS 0',
    spec: pairs,
    budgets: [{ kind: 'at-most', value: 5 }],
  }),
  forwardLatency({ id: 'mesh-latency-qos1', title: 'Latency between two nodes, QoS 1', spec: qos1 }),
]
