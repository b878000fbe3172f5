import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeHeapFlags } from '../pinned-process.ts'
import { siblingScript } from '../sibling-script.ts'
import type { BrokerPeer } from './broker-peer.ts'
import { freePorts } from './free-ports.ts'
import { collectingNodeArgs, launch } from './launch.ts'

/** The npm package `aedes`, in a process of its own on the Node that runs the bench. */
export const aedes: BrokerPeer = {
  name: 'aedes',
  settings: 'in-memory persistence, the same nursery of V8 as grapevine; otherwise as shipped',

  check() {
    try {
      const entry = fileURLToPath(import.meta.resolve('aedes'))
      const manifest: unknown = JSON.parse(readFileSync(join(dirname(entry), 'package.json'), 'utf8'))
      return { version: (manifest as { version: string }).version }
    } catch {
      return { missing: 'aedes is not installed; npm install --save-dev aedes' }
    }
  },

  async start({ core, signal }) {
    const [port = 0] = await freePorts(1)
    const args = [
      ...nodeHeapFlags(core),
      ...collectingNodeArgs(),
      siblingScript(import.meta.url, './aedes-process'),
      String(port),
    ]
    const command = process.execPath
    return await launch({ name: 'aedes', command, args, core, port, signal, collectsOnSignal: true })
  },
}
