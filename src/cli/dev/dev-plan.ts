import { join } from 'node:path'
import type { NodeConfig } from '../../config/schema.ts'
import { GrapevineError } from '../../core/errors.ts'

const PORT_MAX = 65_535

/** Defaults of `dev` where they differ from those of `start`. */
export const devPresets: Readonly<Record<string, unknown>> = {
  'mqtt.host': '127.0.0.1',
  'mesh.host': '127.0.0.1',
  'mesh.port': 0,
  'admin.host': '127.0.0.1',
  'auth.anonymous': true,
  // All nodes stop together: there is nobody to hand anything to.
  'sessions.drainTimeoutMs': 0,
}

/**
 * The configuration of each node: the common one with an id, a data directory below `root`, and ports counted up from
 * the common ones (0 stays 0: a free one each). Throws CONFIG_INVALID when they do not fit.
 */
export function planNodes(common: NodeConfig, count: number, root: string): readonly NodeConfig[] {
  const faults: string[] = []
  const nodes = Array.from({ length: count }, (_, index): NodeConfig => {
    const id = `node-${index}`
    const port = (base: number): number => (base === 0 ? 0 : base + index)
    return {
      ...common,
      node: { ...common.node, id, dataDir: join(root, id) },
      mqtt: { ...common.mqtt, port: port(common.mqtt.port) },
      mesh: { ...common.mesh, port: port(common.mesh.port) },
      admin: { ...common.admin, port: port(common.admin.port) },
    }
  })
  const owners = new Map<number, string>()
  for (const { node, ...config } of nodes) {
    for (const listener of ['mqtt', 'mesh', 'admin'] as const) {
      const { port } = config[listener]
      if (port === 0) continue
      const path = `${listener}.port`
      const owner = owners.get(port)
      if (port > PORT_MAX)
        faults.push(`  ${path} of ${node.id} would be ${port}, above ${PORT_MAX}; start lower`)
      else if (owner !== undefined)
        faults.push(`  ${path} of ${node.id} would be ${port}, which is ${owner} too; choose ranges apart`)
      owners.set(port, `${path} of ${node.id}`)
    }
  }
  if (faults.length > 0)
    throw new GrapevineError(
      'CONFIG_INVALID',
      [`the ports of ${count} nodes do not fit:`, ...faults].join('\n'),
    )
  return nodes
}
