import type { CommandModule } from 'yargs'
import { errorMessage, GrapevineError } from '../../core/errors.ts'
import { createLogger } from '../../observability/logger.ts'
import type { FromNodeProcess, ToNodeProcess } from '../dev/node-protocol.ts'
import { runNode } from '../run-node.ts'

/** One node of `dev --coordination etcd`, in a process of its own: configured by its parent, gone when the parent is. */
export const devNodeCommand: CommandModule = {
  command: 'dev-node',
  describe: false,
  handler: async () => {
    const config = await configFromParent()
    if (config === undefined) return
    const logger = createLogger(config.log)
    try {
      process.exitCode = await runNode(config, logger, {
        onListening: ({ mqttAddress, adminUrl }) => {
          tell({ type: 'listening', mqttAddress, adminUrl })
        },
        onReady: () => {
          tell({ type: 'ready' })
        },
      })
    } catch (error) {
      process.exitCode = 1
      const code = error instanceof GrapevineError ? error.code : undefined
      await told({ type: 'failed', code, message: errorMessage(error) })
    }
  },
}

function tell(message: FromNodeProcess): void {
  void told(message)
}

/** Resolves when the message has left. A parent that is gone is noticed by `disconnect`. */
function told(message: FromNodeProcess): Promise<void> {
  return new Promise(resolve => {
    if (process.send === undefined || !process.connected) resolve()
    else {
      process.send(message, undefined, undefined, () => {
        resolve()
      })
    }
  })
}

function configFromParent(): Promise<ToNodeProcess['config'] | undefined> {
  return new Promise(resolve => {
    if (!process.connected) resolve(undefined)
    process.once('message', message => {
      resolve((message as ToNodeProcess).config)
    })
    process.once('disconnect', () => {
      resolve(undefined)
    })
  })
}
