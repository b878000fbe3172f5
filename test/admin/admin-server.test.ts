import assert from 'node:assert/strict'
import { Agent, get } from 'node:http'
import { createAdminServer, type AdminServer } from '../../src/admin/admin-server.ts'
import type { ClusterStatus, NodeStatusSource, ReadinessCheck } from '../../src/core/ports/node-status.ts'
import { createLogger } from '../../src/observability/logger.ts'

const TOKEN = '0123456789abcdef'

class FakeNode implements NodeStatusSource {
  checks: ReadinessCheck[] = [{ name: 'mesh', ok: true, detail: '2 of 2 links up' }]
  published = 0

  readiness(): readonly ReadinessCheck[] {
    return this.checks
  }

  clusterStatus(): ClusterStatus {
    return {
      cluster: 'test',
      nodeId: 'node-0',
      coordination: 'etcd',
      suspended: false,
      leader: undefined,
      members: [],
      local: { connections: 1, sessions: 2, subscriptions: 3, filters: 4 },
      events: [{ atMs: 5, event: 'member-joined', nodeId: 'node-1', detail: 'incarnation 7' }],
    }
  }

  metrics() {
    return [
      { name: 'published_total', type: 'counter' as const, help: 'Messages.', read: () => this.published },
      { name: 'sessions', type: 'gauge' as const, help: 'Sessions.', read: () => -this.published },
    ]
  }
}

describe('createAdminServer', () => {
  const servers: AdminServer[] = []
  const logger = createLogger({ level: 'error', format: 'json' })

  afterEach(async () => {
    await Promise.all(servers.splice(0).map(server => server.close()))
  })

  const start = async (source: NodeStatusSource = new FakeNode(), token?: string) => {
    const server = await createAdminServer({ host: '127.0.0.1', port: 0, token, source, logger })
    servers.push(server)
    return server
  }

  const json = async (url: string) => (await (await fetch(url)).json()) as Record<string, unknown>

  it('is healthy while it answers', async () => {
    const { url } = await start()
    assert.deepEqual(await json(`${url}/health`), { status: 'ok' })
  })

  it('is ready only while every check is ok, and says which is not', async () => {
    const node = new FakeNode()
    const { url } = await start(node)
    assert.equal((await fetch(`${url}/ready`)).status, 200)
    node.checks = [...node.checks, { name: 'storage', ok: false, detail: 'writing failed' }]
    const response = await fetch(`${url}/ready`)
    assert.equal(response.status, 503)
    assert.deepEqual(await response.json(), { ready: false, checks: node.checks })
  })

  it('shows the cluster, without a leader as null', async () => {
    const node = new FakeNode()
    const { url } = await start(node)
    const expected = { ...node.clusterStatus(), leader: null }
    assert.deepEqual(await json(`${url}/cluster/status`), expected)
    assert.deepEqual(await json(`${url}/api/v1/status`), {
      ready: true,
      checks: node.checks,
      cluster: expected,
    })
  })

  it('reads metrics when they are scraped, for each node its own', async () => {
    const [one, two] = [new FakeNode(), new FakeNode()]
    const [first, second] = [await start(one), await start(two)]
    one.published = 41
    await fetch(`${first.url}/metrics`)
    one.published = 42
    const text = await (await fetch(`${first.url}/metrics`)).text()
    assert.match(text, /^grapevine_published_total 42$/m)
    assert.match(text, /^grapevine_sessions -42$/m)
    assert.match(text, /^process_resident_memory_bytes \d+$/m)
    assert.match(await (await fetch(`${second.url}/metrics`)).text(), /^grapevine_published_total 0$/m)
  })

  it('describes every route it serves', async () => {
    const { url } = await start()
    const { paths } = (await json(`${url}/api/v1/openapi.json`)) as { paths: Record<string, unknown> }
    const described = Object.keys(paths).sort()
    assert.deepEqual(described, [
      '/api/v1/openapi.json',
      '/api/v1/status',
      '/cluster/status',
      '/health',
      '/metrics',
      '/ready',
    ])
    for (const path of described) assert.equal((await fetch(url + path)).status, 200, path)
  })

  it('answers an unknown path with a JSON error', async () => {
    const { url } = await start()
    const response = await fetch(`${url}/nope?x=1`)
    assert.equal(response.status, 404)
    assert.deepEqual(await response.json(), {
      error: { code: 'NOT_FOUND', message: 'there is no GET /nope here' },
    })
  })

  it('asks for its token everywhere but at /health', async () => {
    const { url } = await start(new FakeNode(), TOKEN)
    const status = async (path: string, authorization?: string) =>
      (await fetch(url + path, { headers: authorization === undefined ? {} : { authorization } })).status
    assert.equal(await status('/health'), 200)
    for (const path of [
      '/ready',
      '/cluster/status',
      '/metrics',
      '/api/v1/status',
      '/api/v1/openapi.json',
      '/nope',
    ]) {
      assert.equal(await status(path), 401, path)
      assert.equal(await status(path, `Bearer ${TOKEN}x`), 401, path)
      assert.equal(await status(path, `Basic ${TOKEN}`), 401, path)
    }
    assert.equal(await status('/ready', `Bearer ${TOKEN}`), 200)
  })

  it('says which flag to change when its port is taken', async () => {
    const { url } = await start()
    const port = Number(new URL(url).port)
    await assert.rejects(createAdminServer({ host: '127.0.0.1', port, source: new FakeNode(), logger }), {
      code: 'PORT_IN_USE',
      message: new RegExp(`${port}.*--admin\\.port`),
    })
  })

  it('closes although a client keeps its connection', async () => {
    const server = await start()
    const agent = new Agent({ keepAlive: true })
    await new Promise<void>((resolve, reject) => {
      get(`${server.url}/health`, { agent }, response => response.resume().on('end', resolve)).on(
        'error',
        reject,
      )
    })
    await server.close()
    agent.destroy()
  })
})
