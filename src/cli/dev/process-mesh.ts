import { spawn } from 'node:child_process'
import type { NodeConfig } from '../../config/schema.ts'
import { GrapevineError } from '../../core/errors.ts'
import type { Clock } from '../../core/ports/clock.ts'
import type { Logger } from '../../core/ports/logger.ts'
import { describeExit } from './describe-exit.ts'
import type { NodeEndpoints } from '../node-line.ts'
import type { DevMesh } from './dev-mesh.ts'
import type { FromNodeProcess, ToNodeProcess } from './node-protocol.ts'
import { SupervisedProcess, type ProcessHandle } from './supervised-process.ts'

const STOP_GRACE_MS = 8000
const STDERR = 2

export interface ProcessMeshOptions {
  readonly configs: readonly NodeConfig[]
  readonly clock: Clock
  readonly logger: Logger
  /** A node listens; called again, with another pid, each time it was restarted. */
  readonly onListening: (node: NodeEndpoints) => void
}

/** Starts every node in a process of its own and keeps it running. Returns at once: `onListening` tells the progress. */
export function startProcessMesh(options: ProcessMeshOptions): DevMesh {
  const nodes = new Map<string, NodeEndpoints>()
  let fail: (error: Error) => void = () => {}
  const failed = new Promise<never>((_, reject) => (fail = reject))
  const supervisors = options.configs.map(config => {
    const nodeId = config.node.id
    const logger = options.logger.child({ node: nodeId })
    let current = config
    let wasReady = false
    const onMessage = (message: FromNodeProcess, pid: number): void => {
      if (message.type === 'ready') {
        wasReady = true
      } else if (message.type === 'listening') {
        // A free port that was found once is kept over restarts, so that clients find the node again.
        current = withPorts(config, message)
        const node = { nodeId, mqttAddress: message.mqttAddress, adminUrl: message.adminUrl, pid }
        nodes.set(nodeId, node)
        options.onListening(node)
      } else if (wasReady) {
        logger.warn('the node failed', { code: message.code, error: message.message })
      } else {
        // What keeps a node from its first start is the operator's to mend; trying again would hide it.
        const text = `${nodeId}: ${message.message}`
        fail(message.code === undefined ? new Error(text) : new GrapevineError(message.code, text))
      }
    }
    const supervisor = new SupervisedProcess(options.clock, () => spawnNode(current, onMessage), {
      onDied: (how, pid, restartInMs) => {
        nodes.delete(nodeId)
        logger.warn(`the node’s process ${how}; starting it again`, { pid, restartInMs })
      },
    })
    supervisor.run()
    return supervisor
  })
  let stopping: Promise<void> | undefined
  const stopAll = async (): Promise<void> => {
    await Promise.all(supervisors.map(supervisor => supervisor.stop(STOP_GRACE_MS)))
  }
  return { nodes, failed, stop: () => (stopping ??= stopAll()) }
}

/**
 * A process in a group of its own, so that the terminal's Ctrl-C reaches the parent alone, which then stops its children in
 * order. Its end is noticed by the channel: when the parent dies, however it does, the child stops too.
 */
function spawnNode(
  config: NodeConfig,
  onMessage: (message: FromNodeProcess, pid: number) => void,
): ProcessHandle {
  const child = spawn(process.execPath, [...heapFlags(), process.argv[1] ?? '', 'dev-node'], {
    detached: true,
    stdio: ['ignore', STDERR, STDERR, 'ipc'],
  })
  child.on('message', message => onMessage(message as FromNodeProcess, child.pid ?? 0))
  // A child that dies before it has read this is noticed by its exit.
  child.send({ config } satisfies ToNodeProcess, () => undefined)
  return {
    pid: child.pid,
    requestStop: () => {
      if (child.connected) child.disconnect()
    },
    kill: () => child.kill('SIGKILL'),
    onExit: listener => {
      let isGone = false
      const once = (how: string): void => {
        if (isGone) return
        isGone = true
        listener(how)
      }
      child.once('error', error => once(`could not be started (${error.message})`))
      child.once('exit', (code, signal) => once(describeExit(code, signal)))
    },
  }
}

/** How V8 was told to manage its heap, by bin/grapevine.js or by whoever started this process. */
function heapFlags(): string[] {
  return process.execArgv.filter(flag => /semi.space|v8.pool|concurrent.marking/.test(flag))
}

function withPorts(
  config: NodeConfig,
  { mqttAddress, adminUrl }: { mqttAddress: string; adminUrl: string },
): NodeConfig {
  return {
    ...config,
    mqtt: { ...config.mqtt, port: Number(mqttAddress.slice(mqttAddress.lastIndexOf(':') + 1)) },
    admin: { ...config.admin, port: Number(new URL(adminUrl).port) },
  }
}
