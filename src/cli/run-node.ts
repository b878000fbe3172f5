import type { NodeConfig } from '../config/schema.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { GrapevineNode } from '../node/grapevine-node.ts'
import { patiently, settledWithin, stopInTime } from './patience.ts'
import { untilStopped } from './process-handlers.ts'

/** A start that is under way, perhaps waiting for etcd or an old lease, cannot be called off; nothing is lost by leaving. */
const ABANDON_START_MS = 2000

/** What `runNode` tells its command. */
export interface NodeEvents {
  onListening(node: GrapevineNode): void
  onReady(): void
}

/**
 * Runs one node in this process until it is asked to stop; answers the exit code. Rejects with the fault that prevented
 * its start or stopped it.
 */
export async function runNode(config: NodeConfig, logger: Logger, events: NodeEvents): Promise<number> {
  const stopRequest = untilStopped(logger)
  const { createNode } = await import('../node/create-node.ts')
  const starting = createNode(config, { logger })
  const first = await patiently(() => startWait(config), Promise.race([starting, stopRequest]))
  if ('fault' in first) {
    const stopping = starting.then(
      node => node.stop(),
      () => undefined,
    )
    await settledWithin(ABANDON_START_MS, stopping)
    return first.fault === undefined ? 0 : 1
  }
  const node = first
  events.onListening(node)
  const ready = node.whenReady().then(
    () => {
      events.onReady()
    },
    // It stopped before; `node.stopped` says why.
    () => undefined,
  )
  await patiently(() => missingOf(node), Promise.race([ready, stopRequest]))
  const end = await Promise.race([stopRequest, node.stopped])
  if (end === undefined || !('fault' in end)) throw end ?? new Error(`node ${node.nodeId} stopped unasked`)
  return (await stopInTime(node.nodeId, node.stop())) || (end.fault === undefined ? 0 : 1)
}

function startWait({ node, coordination: { store, etcd } }: NodeConfig): string {
  return (
    `${node.id} to join its cluster` +
    (store === 'etcd' ? ` through etcd at ${etcd.endpoints.join(', ')}` : '')
  )
}

function missingOf(node: GrapevineNode): string {
  const missing = node.readiness().filter(({ ok }) => !ok)
  return `${node.nodeId} to be ready: ${missing.map(({ name, detail }) => `${name} (${detail})`).join(', ')}`
}
