import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import type { BrokerPeer, StartOptions } from './broker-peer.ts'
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
    const [port = 0, adminPort = 0, meshPort = 0] = await freePorts(3)
    const file = join(options.directory, 'grapevine.yaml')
    writeFileSync(file, stringify(configuration(options, { port, adminPort, meshPort })))
    return await launch({
      name: 'grapevine',
      command: process.execPath,
      args: [...collectingNodeArgs(), join(root, 'bin', 'grapevine.js'), 'start', '--config', file],
      core: options.core,
      signal: options.signal,
      port,
      collectsOnSignal: true,
      isReady: async () => await answersReady(adminPort),
    })
  },
}

function configuration(
  { directory, storageSync }: StartOptions,
  ports: { port: number; adminPort: number; meshPort: number },
): object {
  return {
    node: { id: 'bench', cluster: 'bench', dataDir: join(directory, 'data') },
    mqtt: { host: '127.0.0.1', port: ports.port },
    mesh: { host: '127.0.0.1', port: ports.meshPort },
    admin: { host: '127.0.0.1', port: ports.adminPort },
    coordination: { store: 'embedded' },
    sessions: { inflightMax: 1000 },
    auth: { anonymous: true },
    log: { level: 'warn' },
    ...(storageSync === undefined ? {} : { storage: { sync: storageSync } }),
  }
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
