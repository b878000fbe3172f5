import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ConnectStormResult } from '../load/connect-storm.ts'
import { startNode } from '../peers/grapevine.ts'
import type { RunContext, Scenario } from '../scenarios/scenario.ts'

/** Clients that arrive one after the other, and as after a network outage. */
const LOW = { clients: 200, window: 1 }
const STORM = { clients: 2000, window: 64 }
/** Until the node's code has been compiled (see connect-storm-scenario.ts). */
const WARM_UP_MS = 5000

interface Connects {
  readonly low: ConnectStormResult
  readonly storm: ConnectStormResult
}

/** How long clients wait for CONNACK of a node of its own, whose sessions are owned in that coordination store. */
async function connects(
  { load, timing, cores, signal }: RunContext,
  coordination: object,
): Promise<Connects> {
  const directory = await mkdtemp(join(tmpdir(), 'grapevine-bench-connack-'))
  const node = await startNode({
    ...{ id: 'node-0', directory, core: cores?.broker ?? null, signal, configuration: { coordination } },
  })
  const target = { version: 4, port: node.port, pid: node.pid } as const
  const run = (spec: typeof LOW, warmupMs: number): Promise<ConnectStormResult> =>
    load.request({ kind: 'connect-storm', spec, target, timing: { ...timing, warmupMs } })
  try {
    return { storm: await run(STORM, WARM_UP_MS), low: await run(LOW, 500) }
  } finally {
    await node.stop()
    await rm(directory, { recursive: true, force: true })
  }
}

export const connackScenario: Scenario = {
  id: 'coordination-connack',
  group: 'coordination',
  title: 'CONNACK through etcd',
  description: `One node answers clients with clean sessions, ${STORM.window} CONNECTs under way and then one at a time, from opening the socket to CONNACK: owned in the embedded store, then in etcd, which shares the node's core; added is the difference`,
  metrics: [
    { key: 'addedP99', title: 'added p99', unit: 'ms', better: 'lower' },
    { key: 'addedP50', title: 'added median', unit: 'ms', better: 'lower' },
    { key: 'lowP50', title: 'median', unit: 'ms', better: 'lower' },
    { key: 'lowP99', title: 'p99', unit: 'ms', better: 'lower' },
    { key: 'stormAddedP50', title: 'storm: added median', unit: 'ms', better: 'lower' },
    { key: 'stormAddedP99', title: 'added p99', unit: 'ms', better: 'lower' },
    { key: 'stormP99', title: 'p99', unit: 'ms', better: 'lower' },
    { key: 'connects', title: 'connects', unit: '/s', better: 'higher' },
    { key: 'connectsEmbedded', title: 'embedded', unit: '/s' },
  ],
  budgets: [{ kind: 'at-most', value: 10 }],
  against: 'etcd',
  tuneFor: 'latency',
  openFiles: STORM.clients + 200,
  async measure(context) {
    const embedded = await connects(context, { store: 'embedded' })
    const endpoints = [`http://127.0.0.1:${context.broker.port}`]
    const etcd = await connects(context, { store: 'etcd', etcd: { endpoints } })
    const added = (load: keyof Connects, percentile: 'p50Ms' | 'p99Ms'): number =>
      Math.max(0, etcd[load].latency[percentile] - embedded[load].latency[percentile])
    return {
      metrics: {
        addedP50: added('low', 'p50Ms'),
        addedP99: added('low', 'p99Ms'),
        lowP50: etcd.low.latency.p50Ms,
        lowP99: etcd.low.latency.p99Ms,
        stormAddedP50: added('storm', 'p50Ms'),
        stormAddedP99: added('storm', 'p99Ms'),
        stormP99: etcd.storm.latency.p99Ms,
        connects: etcd.storm.connectsPerSecond,
        connectsEmbedded: embedded.storm.connectsPerSecond,
      },
      latencyCurve: etcd.low.latency.curve,
    }
  },
}
