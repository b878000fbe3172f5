import { createServer } from 'node:net'
import type { NodeConfig } from '../../config/schema.ts'
import { GrapevineError, systemErrorCode } from '../../core/errors.ts'

const FLAGS = { mqtt: '--port', mesh: '--mesh.port', admin: '--admin-port' } as const

/**
 * Throws PORT_IN_USE for the first port of the nodes that cannot be had, before anything is started. A node that then
 * still finds its port taken says so itself.
 */
export async function checkPortsFree(nodes: readonly NodeConfig[]): Promise<void> {
  for (const config of nodes) {
    for (const listener of ['mqtt', 'mesh', 'admin'] as const) {
      const { host, port } = config[listener]
      if (port === 0 || (await isFree(host, port))) continue
      throw new GrapevineError(
        'PORT_IN_USE',
        `port ${port} (${listener} of ${config.node.id}) on ${host} is in use by another process; ` +
          `stop it, or choose other ports with ${FLAGS[listener]}`,
      )
    }
  }
}

/** A port of 127.0.0.1 that was free a moment ago. */
export async function findFreePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

/** Any other trouble with the address is left to the node's own listener, which knows what to say. */
async function isFree(host: string, port: number): Promise<boolean> {
  return await new Promise(resolve => {
    const server = createServer()
    server.once('error', error => resolve(systemErrorCode(error) !== 'EADDRINUSE'))
    server.listen({ host, port }, () => server.close(() => resolve(true)))
  })
}
