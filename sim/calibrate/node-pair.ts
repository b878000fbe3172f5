import { spawnSync } from 'node:child_process'
import { LoadGenerator } from '../../bench/load-generator.ts'
import type { FlowResult, FlowSpec } from '../../bench/load/flow-spec.ts'
import { withTwoNodes, type NodePair } from '../../bench/mesh/linked-nodes.ts'
import { untilAtRest } from './at-rest.ts'
import type { Lab } from './lab.ts'
import { withEtcd } from './store-readings.ts'

/** Of what is delivered or published: two nodes of one cluster with clients made by a process of their own. */
export interface Pair {
  readonly nodes: NodePair
  /** Runs a flow with its publishers at the first node and its subscribers at the first or the second. */
  readonly flow: (spec: FlowSpec, subscribersAt: 'first' | 'second') => Promise<FlowResult>
  /**
   * Moves the second node from the clients' core to that of the first. Clients that keep to a rate never sleep: a node that has to
   * wait for them finds many messages at once where a fleet sends one. In bulk two nodes on a core are in each other's way.
   */
  readonly leaveLoad: () => void
}

/**
 * Runs `use` with two nodes as operators run them, in processes of their own, on a private etcd; all gone afterwards. `barrier` is
 * that of every SUBSCRIBE: with `all` nothing is lost at the start of a flow from one to the other.
 */
export async function withPair<T>(
  lab: Lab,
  barrier: 'local' | 'all',
  use: (pair: Pair) => Promise<T>,
): Promise<T> {
  const { cores, signal, windowMs } = lab
  const configuration = {
    sessions: { inflightMax: 1000, drainTimeoutMs: 0 },
    // What a disturbed machine is late with shall wait and not be dropped.
    queues: { sessionMessagesMax: 1_000_000, sessionBytesMax: 2 ** 30 },
    routing: { subackBarrier: barrier },
  }
  return await withEtcd(lab, async etcd => {
    const load = new LoadGenerator(cores?.load ?? null, signal)
    const timing = { warmupMs: windowMs / 3, measureMs: windowMs }
    const target = { port: etcd.port, version: 4, pid: etcd.pid } as const
    const results: T[] = []
    try {
      const context = { broker: etcd, load, target, timing, cores, signal }
      await withTwoNodes(context, { configuration, secondOn: 'load' }, async nodes => {
        const [first, second] = nodes
        await untilAtRest(
          lab,
          nodes.map(({ adminUrl }) => adminUrl),
        )
        const at = { version: 4, port: first.port, pid: first.pid } as const
        const flow: Pair['flow'] = (spec, subscribersAt) => {
          const subscribers = subscribersAt === 'second' ? { subscribers: second } : {}
          return load.request({ kind: 'flow', spec, target: { ...at, ...portOf(subscribers) }, timing })
        }
        const leaveLoad = (): void => {
          if (cores === null) return
          const moved = spawnSync('taskset', ['-a', '-c', '-p', String(cores.broker), String(second.pid)])
          if (moved.status !== 0) throw new Error(`taskset moved no node: ${String(moved.stderr)}`)
        }
        results.push(await use({ nodes, flow, leaveLoad }))
        return { metrics: {} }
      })
    } finally {
      await load.stop()
    }
    return results[0] as T
  })
}

/** What may be sent to another process. */
function portOf({ subscribers }: { subscribers?: { port: number; pid: number } }) {
  if (subscribers === undefined) return {}
  const { port, pid } = subscribers
  return { subscribers: { port, pid } }
}
