import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configSchema } from '../../src/config/schema.ts'
import { createNode } from '../../src/node/create-node.ts'
import { silentLogger } from './silent-logger.ts'

/** What `/metrics` of a node of the default configuration serves. */
export async function servedMetrics(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'grapevine-metrics-'))
  const node = await createNode(
    configSchema.parse({
      node: { id: 'node-0', dataDir },
      mqtt: { host: '127.0.0.1', port: 0 },
      mesh: { host: '127.0.0.1', port: 0 },
      admin: { port: 0 },
      sessions: { drainTimeoutMs: 0 },
      auth: { anonymous: true },
    }),
    { logger: silentLogger },
  )
  try {
    return await (await fetch(`${node.adminUrl}/metrics`)).text()
  } finally {
    await node.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}
