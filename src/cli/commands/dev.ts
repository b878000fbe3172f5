import { join } from 'node:path'
import type { CommandModule, Options } from 'yargs'
import { loadConfig } from '../../config/load-config.ts'
import { createLogger } from '../../observability/logger.ts'
import { addConfigFlags, configFlags } from '../config-flags.ts'
import { devPresets, planNodes } from '../dev/dev-plan.ts'
import { openDevRoot } from '../dev/dev-root.ts'
import { checkPortsFree } from '../dev/port-check.ts'
import { runMesh } from '../dev/run-mesh.ts'
import { UsageError } from '../faults.ts'

interface DevArguments {
  readonly nodes: string
  readonly fresh: boolean
}

const NODES_MAX = 64

/** Short names in `dev` of what every node has as a configuration key. */
const SHORT_FLAGS: ReadonlyMap<string, string> = new Map([
  ['port', 'mqtt.port'],
  ['admin-port', 'admin.port'],
  ['coordination', 'coordination.store'],
  ['etcd', 'coordination.etcd.endpoints'],
  ['data-dir', 'node.dataDir'],
])

const TEXT = { type: 'string', requiresArg: true } as const

const SHORT_OPTIONS: Record<string, Options> = {
  port: {
    ...TEXT,
    describe: 'MQTT port of node-0; node-1 has the next, and so on',
    defaultDescription: '1883',
  },
  'admin-port': { ...TEXT, describe: 'admin HTTP port of node-0, and so on', defaultDescription: '8080' },
  coordination: {
    ...TEXT,
    describe: 'embedded: all nodes in this process; etcd: a process for each',
    defaultDescription: 'embedded',
  },
  etcd: { ...TEXT, describe: 'URLs of a running etcd; without, a private one is started from PATH' },
  'data-dir': {
    ...TEXT,
    describe: 'where the data is kept',
    defaultDescription: '.grapevine/dev/<embedded|etcd>',
  },
}

export const devCommand: CommandModule<object, DevArguments> = {
  command: 'dev',
  describe: 'Run a whole mesh on this machine',
  builder: yargs => {
    yargs.options(SHORT_OPTIONS)
    return addConfigFlags(yargs)
      .option('nodes', { ...TEXT, default: '3', describe: 'how many nodes' })
      .option('fresh', { type: 'boolean', default: false, describe: 'delete what an earlier dev left there' })
  },
  handler: async argv => {
    const count = nodeCount(argv.nodes)
    const { flags, flagNames } = devFlags({ ...argv })
    const { config, origins } = await loadConfig({ env: process.env, flags, flagNames, presets: devPresets })
    const { store } = config.coordination
    const dataDir =
      origins.get('node.dataDir') === 'default' ? join('.grapevine', 'dev', store) : config.node.dataDir
    const configs = planNodes(config, count, dataDir)
    const root = await openDevRoot(dataDir, store)
    try {
      await checkPortsFree(configs)
      await root.claim({ fresh: argv.fresh })
      const privateEtcd = store === 'etcd' && origins.get('coordination.etcd.endpoints') === 'default'
      process.exitCode = await runMesh({
        configs,
        root: root.path,
        privateEtcd,
        logger: createLogger(config.log),
      })
    } finally {
      await root.release()
    }
  },
}

function devFlags(argv: Readonly<Record<string, unknown>>): {
  flags: Record<string, string | boolean>
  flagNames: Map<string, string>
} {
  if (argv['node.id'] !== undefined)
    throw new UsageError('dev names its nodes node-0, node-1 …; --node.id is for start')
  const flags = configFlags(argv)
  const flagNames = new Map<string, string>()
  for (const [name, path] of SHORT_FLAGS) {
    const value = argv[name]
    if (typeof value !== 'string') continue
    flags[path] = value
    flagNames.set(path, `--${name}`)
  }
  if (flags['coordination.etcd.endpoints'] !== undefined) flags['coordination.store'] ??= 'etcd'
  if (flags['coordination.etcd.endpoints'] !== undefined && flags['coordination.store'] === 'embedded') {
    throw new UsageError('--etcd needs --coordination etcd; leave one of them out')
  }
  return { flags, flagNames }
}

function nodeCount(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : 0
  if (count >= 1 && count <= NODES_MAX) return count
  throw new UsageError(`--nodes must be a whole number from 1 to ${NODES_MAX}, it is "${text}"`)
}
