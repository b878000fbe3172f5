import { connectMany } from '../../bench/load/connect-many.ts'
import { cpuSecondsOf } from '../../bench/load/cpu-meter.ts'
import { disconnectPacket } from '../../bench/load/mqtt-packets.ts'
import { median } from '../../bench/report/statistics.ts'
import type { Constants } from '../constants/constants.ts'
import { clientsOf, subscribeOnce } from './session-readings.ts'
import type { Comparison } from './comparison.ts'
import { repeated, type Lab } from './lab.ts'
import { withPair } from './node-pair.ts'
import type { Reading } from './reading.ts'
import { settledRss } from './settled-rss.ts'

/** At the node that is measured, and at the one beside which the model is held. Not scaled: the heap grows in steps. */
const CLIENTS = [12_000, 6000] as const

/** In each repetition. */
export type IdleClients = readonly {
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
      const cpuSeconds = cpuSecondsOf(nodes[0].pid)
      const first = await connect(0, 'idle', CLIENTS[0])
      const cpuUsPerConnect = (1e6 * (cpuSecondsOf(nodes[0].pid) - cpuSeconds)) / CLIENTS[0]
      const second = await connect(1, 'idle', CLIENTS[1])
      const after = await settledRss(nodes)
      await Promise.all([...first, ...second].map(connection => connection.close()))
      const grown = (node: 0 | 1): number => (after[node] ?? NaN) - (before[node] ?? NaN)
      return { cpuUsPerConnect, grown: [grown(0), grown(1)] as const }
    })
  })
}

export function readIdleClients(runs: IdleClients): Reading[] {
  return [
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

/** The memory of half as many clients at another node. */
export function compareMemory(constants: Constants, runs: IdleClients): Comparison[] {
  return [
    {
      ...{ subject: 'memory', unit: 'MiB', tolerance: { better: 0.25, worse: 0.4 } },
      what: `${CLIENTS[1]} connected clients with one subscription: growth of the process`,
      model: (CLIENTS[1] * constants.values['node.bytesPerIdleClient'].value) / 2 ** 20,
      real: median(runs.map(({ grown }) => grown[1])) / 2 ** 20,
    },
  ]
}
