import { connectMany } from '../../bench/load/connect-many.ts'
import { cpuSecondsOf } from '../../bench/load/cpu-meter.ts'
import { disconnectPacket } from '../../bench/load/mqtt-packets.ts'
import type { NodePair } from '../../bench/mesh/linked-nodes.ts'
import { median } from '../../bench/report/statistics.ts'
import type { Constants } from '../constants/constants.ts'
import { clientsOf, subscribeOnce } from './session-readings.ts'
import type { Comparison, Tolerance } from './comparison.ts'
import { pause, repeated, type Lab } from './lab.ts'
import { withPair } from './node-pair.ts'
import type { Reading } from './reading.ts'
import { settledRss } from './settled-rss.ts'

/** At the node that is measured, and at the one beside which the model is held. Not scaled: the heap grows in steps. */
const CLIENTS = [10_000, 8000] as const
const IDLE_MS = 4000
/** The fewer clients, the more of them find room that a start leaves free. */
const MEMORY: Tolerance = { better: 0.25, worse: 0.6 }

/** In each repetition. */
export type IdleClients = readonly {
  readonly cpuUsIdlePerSecond: number
  readonly cpuUsPerConnect: number
  /** Bytes by which each node has grown. */
  readonly grown: readonly [number, number]
}[]

/** Clients of both nodes of a cluster that connect, subscribe once and say nothing. */
export async function idleClients(lab: Lab): Promise<IdleClients> {
  return await repeated(lab, async round => {
    lab.progress(`connects and memory of clients, run ${round + 1} of ${lab.repetitions}`)
    return await withPair(lab, 'local', async ({ nodes }) => {
      const connect = async (at: 0 | 1, crowd: string, count: number) =>
        await connectMany(
          count,
          clientsOf(nodes[at], { cleanSession: true })(`${crowd}-${at}`),
          subscribeOnce(`${crowd}-${at}`),
        )
      // What any client needs is not charged to those that are counted.
      for (const early of [await connect(0, 'early', 100), await connect(1, 'early', 100)])
        await Promise.all(early.map(connection => connection.close(disconnectPacket)))
      const before = await settledRss(nodes)
      const cpuUsIdlePerSecond = await idleCost(nodes)
      const cpuSeconds = cpuSecondsOf(nodes[0].pid)
      const first = await connect(0, 'idle', CLIENTS[0])
      const cpuUsPerConnect = (1e6 * (cpuSecondsOf(nodes[0].pid) - cpuSeconds)) / CLIENTS[0]
      const second = await connect(1, 'idle', CLIENTS[1])
      const after = await settledRss(nodes)
      await Promise.all([...first, ...second].map(connection => connection.close()))
      const grown = (node: 0 | 1): number => (after[node] ?? NaN) - (before[node] ?? NaN)
      return { cpuUsIdlePerSecond, cpuUsPerConnect, grown: [grown(0), grown(1)] as const }
    })
  })
}

/** µs of CPU per second and node. */
async function idleCost(nodes: NodePair): Promise<number> {
  const cpuSeconds = (): number => nodes.reduce((sum, { pid }) => sum + cpuSecondsOf(pid), 0)
  const [startMs, before] = [performance.now(), cpuSeconds()]
  await pause(IDLE_MS)
  return (1e9 * (cpuSeconds() - before)) / (performance.now() - startMs) / nodes.length
}

export function readIdleClients(runs: IdleClients): Reading[] {
  return [
    {
      name: 'node.cpuUsIdlePerSecond',
      runs: runs.map(({ cpuUsIdlePerSecond }) => cpuUsIdlePerSecond),
      how: `mean of two nodes at rest for ${IDLE_MS / 1000} s`,
    },
    {
      name: 'node.cpuUsPerConnect',
      runs: runs.map(({ cpuUsPerConnect }) => cpuUsPerConnect),
      how: `${CLIENTS[0]} clients, through etcd`,
    },
    {
      name: 'node.bytesPerIdleClient',
      runs: runs.map(({ grown }) => grown[0] / CLIENTS[0]),
      how: `growth of the process with ${CLIENTS[0]} clients, garbage collected and given back`,
    },
  ]
}

/** The memory of another number of clients at another node. */
export function compareMemory(constants: Constants, runs: IdleClients): Comparison[] {
  return [
    {
      ...{ subject: 'memory', unit: 'MiB', tolerance: MEMORY },
      what: `${CLIENTS[1]} connected clients with one subscription: growth of the process`,
      model: (CLIENTS[1] * constants.values['node.bytesPerIdleClient'].value) / 2 ** 20,
      real: median(runs.map(({ grown }) => grown[1])) / 2 ** 20,
    },
  ]
}
