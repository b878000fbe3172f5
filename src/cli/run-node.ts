import type { NodeConfig } from '../config/schema.ts'
import type { Logger } from '../core/ports/logger.ts'
import type { GrapevineNode } from '../node/grapevine-node.ts'
import { say } from './faults.ts'
import { patiently, settledWithin, stopInTime } from './patience.ts'
import { untilStopped, type StopRequest } from './process-handlers.ts'

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
  await drain(node, config.sessions.drainTimeoutMs, end)
  return (await stopInTime(node.nodeId, node.stop())) || (end.fault === undefined ? 0 : 1)
}

/** Hands clients and sessions to the other nodes, unless that is not wanted, or there is no time. */
async function drain(node: GrapevineNode, timeoutMs: number, stop: StopRequest): Promise<void> {
  // A node that could not serve could not hand anything over; one that drains already goes on.
  const isAble = node.readiness().every(({ ok, name }) => ok || name === 'drain')
  if (timeoutMs === 0 || !stop.isPatient || !isAble) return
  const draining = node.drain({ timeoutMs })
  if (node.drainStatus().state === 'idle') {
    if (node.clusterStatus().members.length > 1)
      say(`${node.nodeId} stops without a drain: no other node is ready to take its sessions`)
    return
  }
  await patiently(() => drainWait(node), Promise.race([draining, stop.insisted, node.stopped]))
  const { state, sessions } = node.drainStatus()
  if (state === 'drained') return
  say(
    `${node.nodeId} stops with ${sessions} sessions left: they are kept on its disk and are back when it is`,
  )
}

function drainWait(node: GrapevineNode): string {
  const { connections, sessions, waitingFor } = node.drainStatus()
  return (
    `${node.nodeId} to hand over ${connections} clients and ${sessions} sessions` +
    `${waitingFor === undefined ? '' : ` (it waits for ${waitingFor})`}; a second signal stops it at once`
  )
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
