import type { Scenario } from './scenario.ts'

/** Below the listen backlog of Mosquitto (100), above which a SYN is dropped and retried after a second. */
const window = 64
const clients = 5000
/** Until the brokers on Node have had their code compiled: it takes tens of thousands of clients, not one wave. */
const warmupMs = 5000

export const connectStormScenario: Scenario = {
  id: 'connect-storm',
  title: 'Connect storm',
  description: `waves of ${clients} clients with clean sessions, ${window} CONNECTs under way; after ${warmupMs / 1000} s of them`,
  metrics: [
    { key: 'connectsPerSecond', title: 'connects', unit: '/s', better: 'higher' },
    { key: 'connectsPerBrokerCoreSecond', title: 'per broker core', unit: '/s' },
    { key: 'p50Ms', title: 'p50', unit: 'ms', better: 'lower' },
    { key: 'p99Ms', title: 'p99', unit: 'ms', better: 'lower' },
    { key: 'maxMs', title: 'max', unit: 'ms', better: 'lower' },
    { key: 'brokerCores', title: 'broker', unit: 'cores' },
    { key: 'loadCores', title: 'load', unit: 'cores' },
  ],
  budgets: [{ kind: 'at-least', value: 15_000 }],
  against: 'both',
  openFiles: clients + 200,
  async measure({ load, target, timing }) {
    const spec = { clients, window }
    const warm = { ...timing, warmupMs: Math.max(warmupMs, timing.warmupMs) }
    const { latency, ...figures } = await load.request({
      kind: 'connect-storm',
      spec,
      target,
      timing: warm,
    })
    const { curve, count: _count, ...percentiles } = latency
    const connectsPerBrokerCoreSecond = figures.connectsPerSecond / figures.brokerCores
    return { metrics: { ...figures, connectsPerBrokerCoreSecond, ...percentiles }, latencyCurve: curve }
  },
}
