import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NodeStatusView } from '../../src/admin/status-schemas.ts'
import { cpuSecondsOf } from '../load/cpu-meter.ts'
import { RunFailure } from '../load-generator.ts'
import { startNode, type StartedNode } from '../peers/grapevine.ts'
import type { Measurement, RunContext } from '../scenarios/scenario.ts'

const linkedWithinMs = 20_000
const pollMs = 50

/** Two nodes of one cluster. */
export type NodePair = readonly [StartedNode, StartedNode]

/**
 * Runs `use` with two nodes in processes of their own, on the etcd of the run, each knowing what the other's clients subscribe
 * to; they are gone afterwards. The first is pinned to the brokers' core and the second there too, or to that of the load. `configuration` holds what differs from a node's defaults.
 */
export async function withTwoNodes(
  { broker, cores, signal }: RunContext,
  { configuration, secondOn }: { configuration: object; secondOn: 'broker' | 'load' },
  use: (nodes: NodePair) => Promise<Measurement>,
): Promise<Measurement> {
  const directory = await mkdtemp(join(tmpdir(), 'grapevine-bench-mesh-'))
  const started: StartedNode[] = []
  const start = async (id: string, core: number | null = null): Promise<StartedNode> => {
    const node = await startNode({
      ...{ id, directory, core, signal },
      configuration: {
        coordination: { store: 'etcd', etcd: { endpoints: [`http://127.0.0.1:${broker.port}`] } },
        ...configuration,
      },
    })
    started.push(node)
    return node
  }
  try {
    const nodes: NodePair = [
      await start('node-0', cores?.broker),
      await start('node-1', secondOn === 'load' ? cores?.load : cores?.broker),
    ]
    await untilLinked(nodes)
    const measurement = await use(nodes)
    return { ...measurement, cpuSeconds: nodes.reduce((sum, { pid }) => sum + cpuSecondsOf(pid), 0) }
  } catch (error) {
    const lastWords = started.map(node => node.lastWords()).filter(words => words !== '')
    if (!(error instanceof RunFailure) || lastWords.length === 0) throw error
    throw new RunFailure(`${error.message}; the nodes said: ${lastWords.join(' | ')}`)
  } finally {
    await Promise.all(started.map(node => node.stop()))
    await rm(directory, { recursive: true, force: true })
  }
}

async function untilLinked(nodes: NodePair): Promise<void> {
  const deadline = performance.now() + linkedWithinMs
  for (;;) {
    const linked = await Promise.all(nodes.map(isLinked))
    if (linked.every(Boolean)) return
    if (performance.now() > deadline) throw new RunFailure('the two nodes did not find each other')
    await new Promise(resolve => setTimeout(resolve, pollMs))
  }
}

async function isLinked({ adminUrl }: StartedNode): Promise<boolean> {
  const response = await fetch(`${adminUrl}/api/v1/status`, { signal: AbortSignal.timeout(1000) })
  const status = (await response.json()) as NodeStatusView
  const others = status.cluster.members.filter(({ self }) => !self)
  return (
    status.ready &&
    others.length === 1 &&
    others.every(({ linkUp, interestKnown }) => linkUp && interestKnown)
  )
}
