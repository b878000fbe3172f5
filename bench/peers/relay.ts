import { siblingScript } from '../sibling-script.ts'
import type { BrokerPeer } from './broker-peer.ts'
import { freePorts } from './free-ports.ts'
import { collectingNodeArgs, launch } from './launch.ts'

/** Bare Node sockets, see relay-process.ts: the ceiling of the load generator, and the floor of memory per client. */
export const relay: BrokerPeer = {
  name: 'bare sockets',
  settings: 'not a broker: a Node server that answers with constants and copies bytes',

  check() {
    return { version: process.versions.node }
  },

  async start({ core, signal }) {
    const [port = 0] = await freePorts(1)
    const args = [...collectingNodeArgs(), siblingScript(import.meta.url, './relay-process'), String(port)]
    const command = process.execPath
    return await launch({ name: 'relay', command, args, core, port, signal, collectsOnSignal: true })
  },
}
