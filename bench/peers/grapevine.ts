import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import type { BrokerPeer, RunningBroker, StartOptions } from './broker-peer.ts'
import { freePorts } from './free-ports.ts'
import { collectingNodeArgs, launch } from './launch.ts'

const root = projectRoot()

/** This project: one node as an operator would start it. */
export const grapevine: BrokerPeer = {
  name: 'grapevine',
  settings: 'grapevine start, embedded coordination, 1000 in flight, log level warn; otherwise the defaults',

  check() {
    const manifest: unknown = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    return { version: (manifest as { version: string }).version }
  },

  async start(options) {
    return await startNode({
      ...options,
      id: 'bench',
      configuration: {
        coordination: { store: 'embedded' },
        sessions: { inflightMax: 1000 },
        ...(options.storageSync === undefined ? {} : { storage: { sync: options.storageSync } }),
      },
    })
  },
}

export interface NodeStart extends Pick<StartOptions, 'core' | 'directory' | 'signal'> {
  id: string
  /** Keys beside those of identity, listeners, access and log. */
  configuration: object
}

/** A node in a process of its own, ready on free loopback ports. */
export interface StartedNode extends RunningBroker {
  readonly adminUrl: string
  readonly dataDir: string
}

/** Starts a node as an operator would. Throws `BrokerStartError`. */
export async function startNode(options: NodeStart): Promise<StartedNode> {
  const { id, directory, core, signal } = options
  const [port = 0, adminPort = 0, meshPort = 0] = await freePorts(3)
  const file = join(directory, `${id}.yaml`)
  const configuration = {
    node: { id, cluster: 'bench', dataDir: join(directory, id) },
    mqtt: { host: '127.0.0.1', port },
    mesh: { host: '127.0.0.1', port: meshPort },
    admin: { host: '127.0.0.1', port: adminPort },
    auth: { anonymous: true },
    log: { level: 'warn' },
    ...options.configuration,
  }
  writeFileSync(file, stringify(configuration))
  const broker = await launch({
    name: id === 'bench' ? 'grapevine' : `grapevine ${id}`,
    command: process.execPath,
    args: [...collectingNodeArgs(), join(root, 'bin', 'grapevine.js'), 'start', '--config', file],
    core,
    signal,
    port,
    collectsOnSignal: true,
    isReady: async () => await answersReady(adminPort),
  })
  return { ...broker, adminUrl: `http://127.0.0.1:${adminPort}`, dataDir: configuration.node.dataDir }
}

async function answersReady(adminPort: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${adminPort}/ready`, { signal: AbortSignal.timeout(1000) })
    await response.arrayBuffer()
    return response.status === 200
  } catch {
    return false
  }
}

/** The directory with package.json: the sources and the built files lie at different depths below it. */
function projectRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory)
    if (parent === directory) throw new Error('package.json is missing above the bench')
    directory = parent
  }
  return directory
}
