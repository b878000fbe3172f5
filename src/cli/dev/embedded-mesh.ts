import { join } from 'node:path'
import type { NodeConfig } from '../../config/schema.ts'
import type { Logger } from '../../core/ports/logger.ts'
import { errorMessage } from '../../core/errors.ts'
import { createNode } from '../../node/create-node.ts'
import type { GrapevineNode } from '../../node/grapevine-node.ts'
import { openSharedCoordination, type SharedCoordination } from '../../node/shared-coordination.ts'
import { settledWithin } from '../patience.ts'
import type { NodeEndpoints } from '../node-line.ts'
import type { DevMesh } from './dev-mesh.ts'

const STOP_WITHIN_MS = 8000

/**
 * Starts every node in this process, on one coordination store in `root`. Resolves when all listen; when one cannot, those
 * that could are stopped and its fault is thrown.
 */
export async function startEmbeddedMesh(
  configs: readonly NodeConfig[],
  root: string,
  logger: Logger,
): Promise<DevMesh> {
  const shared = await openSharedCoordination(join(root, 'coordination'))
  const { coordinationStore } = shared
  const starts = await Promise.allSettled(
    configs.map(config => createNode(config, { coordinationStore, logger })),
  )
  const nodes = starts.flatMap(start => (start.status === 'fulfilled' ? [start.value] : []))
  const failure = starts.find(start => start.status === 'rejected')
  if (failure !== undefined) {
    await stopAll(nodes, shared)
    throw failure.reason
  }
  let stopping: Promise<void> | undefined
  return {
    nodes: new Map(nodes.map(node => [node.nodeId, describe(node)])),
    failed: failureOf(nodes, logger),
    stop: () => (stopping ??= stopAll(nodes, shared)),
  }
}

/** A node that stops before it was ready fails the mesh; later ones are missed until the last is gone. */
async function failureOf(nodes: readonly GrapevineNode[], logger: Logger): Promise<never> {
  return await new Promise((_, reject) => {
    let running = nodes.length
    for (const node of nodes) {
      let wasReady = false
      node.whenReady().then(
        () => (wasReady = true),
        () => {
          // `stopped` says why.
        },
      )
      void node.stopped.then(fault => {
        running--
        if (fault === undefined) return
        if (!wasReady || running === 0) reject(fault)
        else logger.error('node stopped, the others go on', { node: node.nodeId, error: errorMessage(fault) })
      })
    }
  })
}

async function stopAll(nodes: readonly GrapevineNode[], shared: SharedCoordination): Promise<void> {
  await settledWithin(STOP_WITHIN_MS, Promise.all(nodes.map(node => node.stop())))
  await settledWithin(STOP_WITHIN_MS, shared.close())
}

function describe({ nodeId, mqttAddress, adminUrl }: GrapevineNode): NodeEndpoints {
  return { nodeId, mqttAddress, adminUrl, pid: process.pid }
}
