import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ExplanationView, HoldersView, RoutesView } from '../../src/admin/routing-schemas.ts'
import type { TracePageView, TraceStartedView } from '../../src/admin/trace-schemas.ts'
import { RealMesh } from '../support/real-mesh.ts'

interface ExportedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly events?: readonly { readonly name: string }[]
}

/** What a collector is sent, as JSON over HTTP. */
interface ExportedTraces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly { key: string; value: { stringValue?: string } }[] }
    readonly scopeSpans: readonly { readonly spans: readonly ExportedSpan[] }[]
  }[]
}

/** Everything real: etcd, libp2p over TCP, level on disk, the admin interface; MQTT.js as the client. */
describe('explain, routes and trace on a mesh of two nodes', function () {
  this.timeout(60_000)
  let mesh: RealMesh
  let collector: Server
  const exported: (ExportedSpan & { readonly nodeId: string })[] = []

  const ask = async <T>(index: number, path: string, init?: RequestInit): Promise<T> => {
    const response = await fetch(`${mesh.node(index).adminUrl}${path}`, init)
    assert.ok(response.ok, `${path}: ${response.status}`)
    return (await response.json()) as T
  }

  /** Asks until the answer is as wanted. */
  const until = async <T>(isWanted: (answer: T) => boolean, question: () => T | Promise<T>): Promise<T> => {
    for (;;) {
      const answer = await question()
      if (isWanted(answer)) return answer
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }

  before(async () => {
    collector = createServer((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        const { resourceSpans } = JSON.parse(Buffer.concat(parts).toString()) as ExportedTraces
        for (const { resource, scopeSpans } of resourceSpans) {
          const nodeId = resource.attributes.find(({ key }) => key === 'service.instance.id')?.value
            .stringValue
          for (const { spans } of scopeSpans)
            exported.push(...spans.map(span => ({ ...span, nodeId: nodeId ?? '' })))
        }
        response.setHeader('content-type', 'application/json').end('{}')
      })
    })
    await new Promise<void>(resolve => collector.listen(0, '127.0.0.1', resolve))
    mesh = await RealMesh.start({
      nodeIds: ['node-0', 'node-1'],
      config: {
        routing: { subackBarrier: 'all' },
        sessions: { drainTimeoutMs: 0 },
        observability: {
          otlpEndpoint: `http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/traces`,
        },
      },
    })
  })

  afterEach(() => mesh.endClients())

  after(async () => {
    await mesh.close()
    collector.close()
  })

  it('explains where a message would go, and it goes nowhere', async () => {
    const [near, far] = [await mesh.connect(0, 'near'), await mesh.connect(1, 'far')]
    let received = 0
    for (const client of [near, far]) client.on('message', () => received++)
    await near.subscribeAsync('plant/+/heat', { qos: 1 })
    await far.subscribeAsync('plant/1/heat', { qos: 2 })
    await far.subscribeAsync('plant/#', { qos: 0 })
    await far.subscribeAsync('$share/g/plant/1/heat', { qos: 1 })
    const found = await ask<ExplanationView>(0, '/api/v1/explain?topic=plant/1/heat')
    assert.deepEqual(found.local, {
      total: 1,
      clients: [{ clientId: 'near', filters: ['plant/+/heat'], qos: 1, noLocal: false, skipped: false }],
    })
    const [node] = found.nodes.list
    assert.equal(node?.nodeId, 'node-1')
    assert.ok(node.reasons.some(reason => reason.kind === 'pattern' && reason.filter === 'plant/#'))
    assert.ok(node.reasons.some(reason => reason.kind === 'exact'))
    assert.deepEqual([node.known, node.linkUp, node.presence], [true, true, 'member'])
    assert.equal(found.groups.list[0]?.chosenNode, 'node-1')
    assert.equal(found.groups.list[0].because, 'the only node with a member')
    assert.match(found.waitsFor.join('\n'), /node-1 to accept it/)
    // The other node's own view has the version this one has applied.
    const own = await ask<RoutesView>(1, '/api/v1/routes')
    assert.equal(own.nodes.find(({ self }) => self)?.sequence, node.sequence)
    assert.equal(own.nodes.find(({ self }) => self)?.incarnation, node.incarnation)
    assert.equal(received, 0)
  })

  it('shows routes, and who has one filter', async () => {
    const far = await mesh.connect(1, 'far')
    await far.subscribeAsync(['site/+', 'site/exact'])
    const { nodes: routes, patterns } = await ask<RoutesView>(0, '/api/v1/routes?node=node-1')
    assert.deepEqual(patterns.list, [{ nodeId: 'node-1', group: null, filter: 'site/+', members: 1 }])
    const row = routes.find(({ nodeId }) => nodeId === 'node-1')
    assert.deepEqual([row?.exactFilters, row?.table?.estimatedFilters], [1, 1])
    const holders = await ask<HoldersView>(0, '/api/v1/routes/holders?filter=site/exact')
    assert.deepEqual(
      holders.holders.map(({ nodeId, certain }) => [nodeId, certain]),
      [['node-1', false]],
    )
  })

  it('refuses to explain what is no topic', async () => {
    const response = await fetch(`${mesh.node(0).adminUrl}/api/v1/explain?topic=${encodeURIComponent('a/#')}`)
    assert.equal(response.status, 400)
    assert.deepEqual(await response.json(), {
      error: { code: 'TOPIC_INVALID', message: 'the topic misuses a wildcard' },
    })
  })

  it('follows a message from its publisher over both nodes to its acknowledgement, and exports its spans', async () => {
    const [publisher, far] = [await mesh.connect(0, 'publisher'), await mesh.connect(1, 'far')]
    await far.subscribeAsync('way/+', { qos: 1 })
    const arrived = new Promise<void>(resolve => far.once('message', () => resolve()))
    // Asked of the node the message does not enter at: it gathers what the other one saw.
    const { name } = await ask<TraceStartedView>(1, '/api/v1/traces', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ filter: 'way/#', seconds: 30 }),
    })
    // The order to trace travels before any frame sent after it on the same stream.
    const isTracing = async (): Promise<boolean> => {
      await publisher.publishAsync('way/1', 'x', { qos: 1 })
      return (await ask<TracePageView>(1, `/api/v1/traces/${name}`)).spans.some(
        span => span.name === 'publish',
      )
    }
    await until(Boolean, isTracing)
    await arrived
    const isWhole = ({ spans }: TracePageView): boolean => {
      const root = spans.find(span => span.name === 'publish')
      const names = spans.filter(span => span.traceId === root?.traceId).map(span => span.name)
      return ['publish', 'forward', 'receive'].every(part => names.includes(part as 'publish'))
    }
    const { spans } = await until(isWhole, () => ask<TracePageView>(1, `/api/v1/traces/${name}`))
    const root = spans.find(span => span.name === 'publish')
    const parts = spans.filter(span => span.traceId === root?.traceId)
    const steps = parts.flatMap(span => span.events.map(event => `${span.nodeId} ${span.name} ${event.name}`))
    for (const step of [
      'node-0 publish delivered',
      'node-0 publish acknowledged',
      'node-0 forward sent',
      'node-0 forward accepted',
      'node-1 receive delivered',
      'node-1 receive accepted',
    ]) {
      assert.ok(steps.includes(step), `${step} is not among ${steps.join(', ')}`)
    }
    assert.equal(root?.attributes['messaging.client.id'], 'publisher')
    await ask(1, `/api/v1/traces/${name}`, { method: 'DELETE' })
    assert.equal((await fetch(`${mesh.node(1).adminUrl}/api/v1/traces/${name}`)).status, 404)
    const ofTrace = await until(
      found => found.length >= 3,
      () => exported.filter(span => span.traceId === root.traceId),
    )
    const receive = ofTrace.find(span => span.name === 'receive')
    assert.equal(receive?.nodeId, 'node-1')
    const forward = ofTrace.find(span => span.spanId === receive.parentSpanId)
    assert.equal(forward?.name, 'forward')
    assert.equal(forward.parentSpanId, root.spanId)
    assert.deepEqual(
      forward.events?.map(event => event.name),
      ['sent', 'accepted'],
    )
  })
})
