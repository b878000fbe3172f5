import assert from 'node:assert/strict'
import { Agent, get } from 'node:http'
import { createAdminServer, type AdminServer } from '../../src/admin/admin-server.ts'
import { GrapevineError } from '../../src/core/errors.ts'
import type { NodeControl } from '../../src/core/ports/node-control.ts'
import type { NodeStatusSource } from '../../src/core/ports/node-status.ts'
import { createLogger } from '../../src/observability/logger.ts'
import {
  census,
  duties,
  FakeControl,
  FakeNode,
  FakeRouting,
  FakeTracing,
  idle,
  localSession,
} from './fake-node.ts'

const TOKEN = '0123456789abcdef'

describe('createAdminServer', () => {
  const servers: AdminServer[] = []
  const logger = createLogger({ level: 'error', format: 'json' })

  afterEach(async () => {
    await Promise.all(servers.splice(0).map(server => server.close()))
  })

  const start = async (
    source: NodeStatusSource = new FakeNode(),
    token?: string,
    control: NodeControl = new FakeControl(),
  ) => {
    const server = await createAdminServer({
      host: '127.0.0.1',
      port: 0,
      token,
      source,
      control,
      routing: new FakeRouting(),
      tracing: new FakeTracing(),
      logger,
    })
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
      '/api/v1/drain',
      '/api/v1/explain',
      '/api/v1/leader',
      '/api/v1/mode',
      '/api/v1/nodes',
      '/api/v1/nodes/{nodeId}',
      '/api/v1/openapi.json',
      '/api/v1/routes',
      '/api/v1/routes/holders',
      '/api/v1/session',
      '/api/v1/sessions',
      '/api/v1/sessions/{clientId}',
      '/api/v1/status',
      '/api/v1/traces',
      '/api/v1/traces/{name}',
      '/cluster/status',
      '/health',
      '/metrics',
      '/ready',
    ])
    const queries: Record<string, string> = {
      '/api/v1/session': '?clientId=x',
      '/api/v1/explain': '?topic=a/b',
      '/api/v1/routes/holders': '?filter=a/b',
    }
    for (const path of described) {
      if (path === '/api/v1/traces' || path === '/api/v1/nodes/{nodeId}') continue // take orders only
      const query = queries[path] ?? ''
      assert.equal((await fetch(url + path.replace(/\{\w+\}/, 'x') + query)).status, 200, path)
    }
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
      '/api/v1/nodes',
      '/api/v1/leader',
      '/api/v1/mode',
      '/api/v1/sessions',
      '/api/v1/sessions/x',
      '/api/v1/drain',
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
    await assert.rejects(
      createAdminServer({
        host: '127.0.0.1',
        port,
        source: new FakeNode(),
        control: new FakeControl(),
        routing: new FakeRouting(),
        tracing: new FakeTracing(),
        logger,
      }),
      {
        code: 'PORT_IN_USE',
        message: new RegExp(`${port}.*--admin\\.port`),
      },
    )
  })

  describe('control', () => {
    let control: FakeControl
    let url: string

    beforeEach(async () => {
      control = new FakeControl()
      ;({ url } = await start(new FakeNode(), undefined, control))
    })

    const call = async (path: string, init: RequestInit = {}) => {
      const response = await fetch(url + path, init)
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    }
    const post = (body: unknown, headers: Record<string, string> = {}) =>
      call('/api/v1/drain', {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json', ...headers },
      })

    it('says that nobody leads with nulls, and who did', async () => {
      const { body } = await call('/api/v1/leader')
      assert.deepEqual(body, {
        nodeId: 'node-0',
        leader: null,
        term: null,
        sinceMs: null,
        previous: [{ leader: 'node-0', term: 3, sinceMs: 10, untilMs: 20 }],
        duties,
        census: null,
      })
    })

    it('shows what the leader has counted, while it leads', async () => {
      control.found = census
      const { body } = await call('/api/v1/leader')
      assert.deepEqual((body as { census: unknown }).census, {
        sessions: [
          { nodeId: 'node-0', sessions: 1_000_000 },
          { nodeId: 'node-1', sessions: 7 },
        ],
        countedAtMs: 1000,
        store: { ...census.store, quotaBytes: null },
        dead: [{ nodeId: 'node-7', incarnation: 70, atMs: 500 }],
      })
      control.found = { sessionsOfNode: undefined, countedAtMs: undefined, store: undefined, dead: [] }
      const { body: early } = await call('/api/v1/leader')
      const nothing = { sessions: null, countedAtMs: null, store: null, dead: [] }
      assert.deepEqual((early as { census: unknown }).census, nothing)
    })

    it('lists sessions with its filters, and names the next page', async () => {
      const { body } = await call('/api/v1/sessions?prefix=a%2Fb&connected=false&limit=7')
      assert.deepEqual(control.queries, [{ prefix: 'a/b', connected: false, limit: 7 }])
      assert.deepEqual(body, {
        nodeId: 'node-0',
        sessions: [{ ...localSession('one'), disconnectedAtMs: null }],
        next: 'page-2',
      })
      assert.deepEqual((await call('/api/v1/sessions?next=page-2')).body, {
        nodeId: 'node-0',
        sessions: [],
        next: null,
      })
    })

    it('refuses an unknown page with 404, and a bad query with 400', async () => {
      assert.equal((await call('/api/v1/sessions?next=gone')).status, 404)
      for (const query of ['limit=0', 'limit=1001', 'limit=x', 'connected=perhaps', 'perfix=a']) {
        assert.equal((await call(`/api/v1/sessions?${query}`)).status, 400, query)
      }
      assert.deepEqual(control.queries, [])
    })

    it('takes any client id in a path or a query', async () => {
      const ids = [
        '__proto__',
        'constructor',
        'a/b?c#d%e',
        'ü \u0001\n',
        '日本',
        'x'.repeat(256),
        '%2e%2e',
        "'; --",
      ]
      for (const id of ids) {
        const inPath = await call(`/api/v1/sessions/${encodeURIComponent(id)}`)
        assert.equal(inPath.body['clientId'], id)
        const inQuery = await call(`/api/v1/session?${new URLSearchParams({ clientId: id }).toString()}`)
        assert.deepEqual(inQuery, inPath)
      }
      for (const id of ['.', '..']) {
        const { body } = await call(`/api/v1/session?clientId=${id}`)
        assert.equal(body['clientId'], id)
      }
      assert.equal((await call('/api/v1/sessions/%zz')).status, 400)
      assert.equal((await call('/api/v1/session')).status, 400)
    })

    it('says who owns a session that is elsewhere', async () => {
      const { body } = await call('/api/v1/sessions/roaming')
      assert.deepEqual(body, {
        nodeId: 'node-0',
        clientId: 'roaming',
        owner: {
          nodeId: 'node-1',
          incarnation: 9,
          live: true,
          adminUrl: 'http://node-1:8080',
          token: { epoch: 1, revision: 12 },
          how: 'moved',
          from: 'node-0',
          sinceMs: 1000,
          expiryIntervalSeconds: 600,
          recordBytes: 150,
        },
        local: null,
      })
    })

    it('answers 503 with what is wrong when the coordination store does not answer', async () => {
      control.fault = new GrapevineError('COORDINATION_UNAVAILABLE', 'etcd does not answer')
      assert.deepEqual(await call('/api/v1/sessions/x'), {
        status: 503,
        body: { error: { code: 'COORDINATION_UNAVAILABLE', message: 'etcd does not answer' } },
      })
    })

    it('drains at the pace it is told, 100 clients per second by default', async () => {
      const { status, body } = await post({ ratePerSecond: 50, force: true })
      assert.equal(status, 202)
      assert.equal(body['state'], 'draining')
      assert.equal(body['ratePerSecond'], 50)
      await post({})
      assert.deepEqual(control.drains, [
        { ratePerSecond: 50, isForced: true },
        { ratePerSecond: 100, isForced: false },
      ])
      assert.deepEqual((await call('/api/v1/drain', { method: 'DELETE' })).body, {
        ...idle,
        nodeId: 'node-0',
        sinceMs: null,
        ratePerSecond: null,
        waitingFor: null,
      })
    })

    it('forgets a node that is gone, and no other', async () => {
      const forget = async (nodeId: string): Promise<unknown[]> => {
        const { status, body } = await call(`/api/v1/nodes/${nodeId}`, { method: 'DELETE' })
        return [status, body['forgotten'] ?? (body['error'] as { code: string }).code]
      }
      assert.deepEqual(await forget('gone'), [200, 'gone'])
      assert.deepEqual(await forget('live'), [409, 'NODE_LIVE'])
      assert.deepEqual(await forget('nobody'), [404, 'NODE_UNKNOWN'])
      assert.equal((await forget('x'.repeat(65)))[0], 400)
      assert.deepEqual(control.forgotten, ['gone'])
    })

    it('refuses a drain that leads nowhere with 409, and a bad one with 400', async () => {
      control.answer = { isStarted: false, refusal: 'alone' }
      const { status, body } = await post({})
      assert.equal(status, 409)
      assert.equal((body['error'] as { code: string }).code, 'DRAIN_REFUSED')
      assert.match((body['error'] as { message: string }).message, /no other member is ready/)
      for (const bad of [{ ratePerSecond: 0 }, { ratePerSecond: 'fast' }, { rate: 5 }, []]) {
        assert.equal((await post(bad)).status, 400, JSON.stringify(bad))
      }
    })

    it('takes no orders from web pages', async () => {
      assert.equal((await post({}, { origin: 'http://evil.example' })).status, 403)
      const asText = { method: 'POST', body: '{}', headers: { 'content-type': 'text/plain' } }
      assert.equal((await call('/api/v1/drain', asText)).status, 415)
      assert.notEqual((await call('/api/v1/drain', { method: 'POST' })).status, 202)
      assert.deepEqual(control.drains, [])
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
