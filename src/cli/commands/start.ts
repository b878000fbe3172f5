import type { CommandModule } from 'yargs'
import { loadConfig } from '../../config/load-config.ts'
import { createLogger } from '../../observability/logger.ts'
import { addConfigFlags, configFlags } from '../config-flags.ts'
import { nodeLine } from '../node-line.ts'
import { runNode } from '../run-node.ts'

interface StartArguments {
  readonly config?: string | undefined
}

export const startCommand: CommandModule<object, StartArguments> = {
  command: 'start',
  describe: 'Run one node',
  builder: yargs =>
    addConfigFlags(yargs).option('config', {
      type: 'string',
      requiresArg: true,
      describe: 'configuration file (YAML)',
    }),
  handler: async argv => {
    const { config } = await loadConfig({
      file: argv.config,
      env: process.env,
      flags: configFlags({ ...argv }),
    })
    const logger = createLogger(config.log)
    process.exitCode = await runNode(config, logger, {
      onListening: node => {
        console.log(
          nodeLine({
            nodeId: node.nodeId,
            mqttAddress: node.mqttAddress,
            adminUrl: node.adminUrl,
            pid: process.pid,
          }),
        )
      },
      onReady: () => {
        console.log('ready')
      },
    })
  },
}
