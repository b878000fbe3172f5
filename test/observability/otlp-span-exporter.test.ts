import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FinishedSpan } from '../../src/core/ports/tracing.ts'
import { createLogger } from '../../src/observability/logger.ts'
import { OtlpSpanExporter } from '../../src/observability/otlp-span-exporter.ts'

const span: FinishedSpan = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  parentSpanId: '00f067aa0ba902b7',
  name: 'receive',
  nodeId: 'node-0',
  startMs: 1_700_000_000_000.25,
  endMs: 1_700_000_000_001.5,
  attributes: { 'messaging.system': 'mqtt' },
  events: [{ name: 'accepted', atMs: 1_700_000_000_001, attributes: { clients: 2 } }],
  isComplete: true,
}

describe('OtlpSpanExporter', () => {
  let server: Server
  let bodies: string[]
  let status: number
  let lines: string[]

  const open = (): OtlpSpanExporter => {
    const { port } = server.address() as AddressInfo
    const logger = createLogger({
      level: 'warn',
      format: 'json',
      destination: { write: line => lines.push(line) },
    })
    const url = `http://127.0.0.1:${port}/v1/traces`
    return new OtlpSpanExporter({ url, cluster: 'c', nodeId: 'node-0', version: '1.0.0' }, logger)
  }

  beforeEach(async () => {
    bodies = []
    lines = []
    status = 200
    server = createServer((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        bodies.push(Buffer.concat(parts).toString())
        response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
      })
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  })

  afterEach(() => {
    server.close()
  })

  it('sends what waits when it is closed, under the ids and times it was given', async () => {
    const exporter = open()
    exporter.export(span)
    await exporter.close()
    assert.equal(bodies.length, 1)
    const { resourceSpans } = JSON.parse(bodies[0] ?? '') as {
      resourceSpans: [{ resource: unknown; scopeSpans: [{ spans: [Record<string, unknown>] }] }]
    }
    const [sent] = resourceSpans[0].scopeSpans[0].spans
    assert.equal(sent['traceId'], span.traceId)
    assert.equal(sent['spanId'], span.spanId)
    assert.equal(sent['parentSpanId'], span.parentSpanId)
    assert.equal(sent['startTimeUnixNano'], '1700000000000250000')
    assert.equal(sent['endTimeUnixNano'], '1700000000001500000')
    assert.match(JSON.stringify(resourceSpans[0].resource), /"service.instance.id".*"node-0"/)
    assert.deepEqual(lines, [])
  })

  it('says that a collector does not take them, once', async () => {
    status = 400
    const exporter = open()
    exporter.export(span)
    await exporter.close()
    assert.equal(lines.length, 1)
    assert.match(lines[0] ?? '', /not taken by the collector.*otlpEndpoint/)
  })
})
