/**
 * A process with nodes of a cluster, complete ones; started by spread-scenarios.ts with a directory, the number of nodes in the cluster,
 * the first and the last of them that are here, and where etcd is. Without it all are here, on one embedded coordination store, as
 * `grapevine dev` starts them. Answers when they know all others.
 */
import { join } from 'node:path'
import { parseConfig } from '../../src/config/parse-config.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import { createNode } from '../../src/node/create-node.ts'
import type { GrapevineNode } from '../../src/node/grapevine-node.ts'
import { openSharedCoordination } from '../../src/node/shared-coordination.ts'
import { ownCpuSeconds } from '../load/cpu-meter.ts'
import type { SpreadAnswer, SpreadCounts, SpreadRequest } from './spread-protocol.ts'

const [directory = '', ...numbers] = process.argv.slice(2)
const [count = 0, first = 0, last = 0] = numbers.slice(0, 3).map(Number)
const etcd = numbers[3]
const logger: Logger = {
  debug() {},
  info() {},
  warn: (message, fields) => console.error(message, fields),
  error: (message, fields) => console.error(message, fields),
  child: () => logger,
}

async function startNodes(): Promise<GrapevineNode[]> {
  const shared =
    etcd === undefined ? await openSharedCoordination(join(directory, 'coordination')) : undefined
  const coordination = etcd === undefined ? {} : { store: 'etcd' as const, etcd: { endpoints: [etcd] } }
  const nodes = await Promise.all(
    Array.from({ length: last - first + 1 }, (_, offset) => {
      const index = first + offset
      const config = parseConfig({
        coordination,
        node: { id: `node-${index}`, cluster: 'bench', dataDir: join(directory, `node-${index}`) },
        mqtt: { host: '127.0.0.1', port: 0 },
        mesh: { host: '127.0.0.1', port: 0 },
        admin: { host: '127.0.0.1', port: 0 },
        auth: { anonymous: true },
      })
      return createNode(config, { ...shared, logger })
    }),
  )
  while (!nodes.every(isLinked)) await new Promise(resolve => setTimeout(resolve, 50))
  return nodes
}

function isLinked(node: GrapevineNode): boolean {
  const { members } = node.clusterStatus()
  const others = members.filter(({ nodeId }) => nodeId !== node.nodeId)
  return (
    node.isReady &&
    others.length === count - 1 &&
    others.every(({ linkUp, interestKnown }) => linkUp && interestKnown)
  )
}

/** From the metrics that an operator sees. */
function spreadCounts(nodes: readonly GrapevineNode[]): SpreadCounts {
  const sum: SpreadCounts = { bounds: [], counts: [], maxMs: 0, cpuSeconds: ownCpuSeconds() }
  for (const metric of nodes.flatMap(node => node.metrics())) {
    if (metric.name === 'gossip_spread_seconds' && metric.type === 'histogram') {
      sum.bounds = metric.bounds.map(seconds => seconds * 1000)
      for (const [index, found] of metric.read().counts.entries()) {
        sum.counts[index] = (sum.counts[index] ?? 0) + found
      }
    } else if (metric.name === 'gossip_spread_seconds_max' && metric.type === 'gauge') {
      sum.maxMs = Math.max(sum.maxMs, metric.read() * 1000)
    }
  }
  return sum
}

const started = startNodes()
process.on('message', (request: SpreadRequest) => {
  void started.then(nodes => {
    const answer: SpreadAnswer =
      request.kind === 'ports'
        ? {
            ports: nodes.map(({ mqttAddress }) => Number(mqttAddress.split(':').at(-1))),
            adminUrls: nodes.map(({ adminUrl }) => adminUrl),
          }
        : { counts: spreadCounts(nodes) }
    process.send?.(answer)
  })
})
process.on('disconnect', () => process.exit(0))
// The directory is the parent's to remove; nothing in it is needed any more.
process.on('SIGTERM', () => process.exit(0))
