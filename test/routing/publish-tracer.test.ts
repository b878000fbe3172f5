import assert from 'node:assert/strict'
import { encodePublish, decodePublish, frameKind, traceContextOf } from '../../routing/forward-codec.ts'
import { PublishTracer } from '../../routing/publish-tracer.ts'
import { decodeTrace, encodeTrace } from '../../routing/trace-codec.ts'
import { SeededRandom } from '../../sim/ports/seeded-random.ts'
import { SimPeerNetwork } from '../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { limits } from '../../src/core/limits.ts'
import type { Acceptance } from '../../src/core/ports/routing.ts'
import type { FinishedSpan } from '../../src/core/ports/tracing.ts'
import type { QoS } from '../../src/core/qos.ts'
import { ForwardingNode, publication } from './support/forwarding-node.ts'

/** An acknowledgement slot as the tracer sees it: answered as soon as everybody accepted. */
class Answer implements Acceptance {
  outstanding = 0
  afterwards: (() => void) | undefined

  expect(): void {
    this.outstanding++
  }

  settle(): void {
    if (--this.outstanding === 0) this.afterwards?.()
  }

  requireCommitted(): void {
    /* committed at once */
  }
}

describe('PublishTracer', () => {
  let clock: VirtualClock
  let network: SimPeerNetwork
  let a: ForwardingNode
  let b: ForwardingNode
  let exported: FinishedSpan[]
  let tracers: PublishTracer[]

  const request = { filter: 't', seconds: 10, count: 100 }
  const traceOn = (node: ForwardingNode, seed: number): PublishTracer => {
    const tracer = new PublishTracer({
      nodeId: node.address.nodeId,
      clock,
      random: new SeededRandom(seed),
      transport: node.transport,
      point: node.local.point,
      members: () => node.forwarder.members,
      exporter: { export: span => exported.push(span) },
    })
    node.forwarder.onTrace((from, frame) => tracer.onFrame(from, frame))
    tracers.push(tracer)
    return tracer
  }
  const publish = (qos: QoS): Answer => {
    const answer = new Answer()
    a.router.publish(publication('x', qos), qos === 0 ? undefined : answer)
    return answer
  }
  const read = (tracer: PublishTracer, name: string | undefined): readonly FinishedSpan[] =>
    tracer.read(name ?? '', 0)?.spans ?? assert.fail('there is no such trace')
  const events = (span: FinishedSpan | undefined): string[] => span?.events.map(({ name }) => name) ?? []
  const named = (spans: readonly FinishedSpan[], name: string): FinishedSpan | undefined =>
    spans.find(span => span.name === name)

  beforeEach(async () => {
    clock = new VirtualClock()
    network = new SimPeerNetwork(clock)
    exported = []
    tracers = []
    a = new ForwardingNode({ network, clock, nodeId: 'a', incarnation: 1 })
    b = new ForwardingNode({ network, clock, nodeId: 'b', incarnation: 2 })
    a.know(b)
    b.know(a)
    a.interested = ['b']
    await clock.advance(100)
  })

  it('follows a message over both nodes to its acknowledgement, as one trace', async () => {
    const [tracer] = [traceOn(a, 1), traceOn(b, 2)]
    const name = tracer.start(request)
    await clock.advance(50)
    publish(1)
    await clock.advance(50)
    const spans = read(tracer, name)
    const [root, forward, receive] = ['publish', 'forward', 'receive'].map(span => named(spans, span))
    assert.equal(spans.length, 3)
    assert.deepEqual(events(root), ['delivered', 'acknowledged'])
    assert.deepEqual(events(forward), ['sent', 'accepted'])
    assert.deepEqual(events(receive), ['delivered', 'accepted'])
    assert.deepEqual([root?.nodeId, forward?.nodeId, receive?.nodeId], ['a', 'a', 'b'])
    assert.deepEqual([forward?.parentSpanId, receive?.parentSpanId], [root?.spanId, forward?.spanId])
    assert.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1)
    assert.deepEqual(root?.events[0]?.attributes, { clients: 1, names: 's' })
    assert.ok(spans.every(({ isComplete }) => isComplete))
    assert.ok((forward?.endMs ?? 0) >= (receive?.startMs ?? Infinity))
    assert.equal(exported.length, 3)
  })

  it('gathers at the node that was asked what was published at another', async () => {
    const [, tracer] = [traceOn(a, 1), traceOn(b, 2)]
    const name = tracer?.start(request)
    await clock.advance(50)
    publish(1)
    await clock.advance(50)
    const found = read(tracer, name)
    assert.deepEqual(found.map(span => `${span.nodeId} ${span.name}`).sort(), [
      'a forward',
      'a publish',
      'b receive',
    ])
  })

  it('ends the way of QoS 0 when it is sent and delivered', async () => {
    const [tracer] = [traceOn(a, 1), traceOn(b, 2)]
    const name = tracer.start(request)
    await clock.advance(50)
    publish(0)
    await clock.advance(50)
    const spans = read(tracer, name)
    assert.deepEqual(events(named(spans, 'forward')), ['sent'])
    assert.deepEqual(events(named(spans, 'receive')), ['delivered'])
    assert.ok(spans.every(({ isComplete }) => isComplete))
  })

  it('changes nothing about what subscribers get, traced or not', async () => {
    const tracer = traceOn(a, 1) // b does not trace, and takes the frame all the same
    tracer.start(request)
    const answers = [publish(1), publish(2), publish(0)]
    await clock.advance(50)
    assert.deepEqual(b.received.sort(), ['x', 'x', 'x'])
    assert.deepEqual(
      answers.map(({ outstanding }) => outstanding),
      [0, 0, 0],
    )
  })

  it('looks at nothing while no trace is under way, nor after its time', async () => {
    const tracer = traceOn(a, 1)
    assert.equal(a.local.point.tracer, undefined)
    const name = tracer.start({ ...request, seconds: 1 })
    assert.equal(a.local.point.tracer, tracer)
    await clock.advance(1000)
    assert.equal(a.local.point.tracer, undefined)
    publish(1)
    assert.equal(read(tracer, name).length, 0)
    assert.equal(tracer.read(name ?? '', 0)?.isOver, false)
    await clock.advance(1000)
    assert.equal(tracer.read(name ?? '', 0)?.isOver, true)
    await clock.advance(60_000)
    assert.equal(tracer.read(name ?? '', 0), undefined)
  })

  it('takes no more messages than it was told, and none of other topics', async () => {
    const [tracer] = [traceOn(a, 1), traceOn(b, 2)]
    const none = tracer.start({ ...request, filter: 'u/#' })
    const name = tracer.start({ ...request, count: 2 })
    await clock.advance(50)
    for (let i = 0; i < 5; i++) publish(1)
    await clock.advance(50)
    assert.equal(read(tracer, name).filter(span => span.name === 'publish').length, 2)
    assert.equal(read(tracer, none).length, 0)
  })

  it('shows what is still on its way when it ends', async () => {
    const tracer = traceOn(a, 1)
    b.isHeld = true
    b.isJournaling = true
    const name = tracer.start({ ...request, seconds: 0.5 })
    publish(1)
    await clock.advance(500)
    const spans = read(tracer, name)
    assert.deepEqual(spans.map(span => [span.name, span.isComplete]).sort(), [
      ['forward', false],
      ['publish', false],
    ])
  })

  it('shows that a late node gets it through the outbox', async () => {
    const tracer = traceOn(a, 1)
    b.isHeld = true
    b.isJournaling = true
    const name = tracer.start(request)
    publish(1)
    await clock.advance(2000)
    assert.deepEqual(events(named(read(tracer, name), 'forward')), ['sent', 'stored'])
  })

  it('ends everywhere when it is stopped, by nobody but who began it', async () => {
    const [tracer, other] = [traceOn(a, 1), traceOn(b, 2)] as [PublishTracer, PublishTracer]
    const name = tracer.start(request) ?? ''
    await clock.advance(50)
    assert.notEqual(b.local.point.tracer, undefined)
    assert.equal(other.stop(name), false)
    assert.equal(other.read(name, 0), undefined)
    assert.equal(tracer.stop(name), true)
    await clock.advance(50)
    assert.equal(a.local.point.tracer, undefined)
    assert.equal(b.local.point.tracer, undefined)
  })

  it('refuses more traces than its bound', () => {
    const tracer = traceOn(a, 1)
    for (let i = 0; i < limits.tracesMax; i++) assert.notEqual(tracer.start(request), undefined)
    assert.equal(tracer.start(request), undefined)
  })

  it('believes a peer neither a span of a trace of others nor a malformed frame', async () => {
    const tracer = traceOn(a, 1)
    const name = tracer.start(request) ?? ''
    publish(1)
    await clock.advance(50)
    const count = read(tracer, name).length
    const [{ nodeId: _, ...span }] = read(tracer, name) as [FinishedSpan]
    const frameOf = (message: unknown): Uint8Array =>
      Buffer.concat([Uint8Array.of(frameKind.trace), Buffer.from(JSON.stringify(message))])
    assert.equal(tracer.onFrame('b', frameOf({ type: 'span', name: '0123456789abcdef', span })), true)
    assert.equal(read(tracer, name).length, count)
    assert.equal(tracer.onFrame('b', frameOf({ type: 'span', name, span })), true)
    assert.equal(read(tracer, name).at(-1)?.nodeId, 'b') // whatever it says: as whom it was heard
    for (const bad of [
      { type: 'span', name, span: { ...span, traceId: 'x' } },
      { type: 'span', name, span: { ...span, events: [{ name: 1 }] } },
      { type: 'span', name, span: { ...span, attributes: { a: {} } } },
      { type: 'start', name: '0123456789abcdef', filter: 'a/#/b', seconds: 1, count: 1 },
      { type: 'start', name: '0123456789abcdef', filter: 'a', seconds: 1e9, count: 1 },
      { type: 'start', name: '0123456789abcdef', filter: 'a', seconds: 1, count: 0 },
      { type: 'stop', name: 'no name' },
      { type: 'other', name },
      [],
    ]) {
      assert.equal(tracer.onFrame('b', frameOf(bad)), false, JSON.stringify(bad))
    }
    assert.equal(tracer.onFrame('b', Uint8Array.of(frameKind.trace, 0xff)), false)
  })
})

describe('a traced PUBLISH frame', () => {
  const context = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }

  it('carries the context, and otherwise what an untraced one does', () => {
    const message = { ...publication('payload', 0), id: { incarnation: 3, number: 9 } }
    const target = { group: 'g', filter: 't/#' }
    const traced = encodePublish(message, target, context)
    assert.deepEqual(traceContextOf(traced), context)
    assert.deepEqual(decodePublish(traced, 0), decodePublish(encodePublish(message, target), 0))
    assert.equal(traceContextOf(encodePublish(message, target)), undefined)
  })

  it('is malformed when it is cut', () => {
    const frame = encodePublish(publication('', 0), undefined, context)
    for (let length = 0; length < frame.length; length++) {
      assert.equal(decodePublish(frame.subarray(0, length), 0), undefined)
    }
  })
})

describe('a TRACE frame', () => {
  it('is read as it was written', () => {
    const start = { type: 'start', name: '0123456789abcdef', filter: 'a/#', seconds: 0.5, count: 3 } as const
    assert.deepEqual(decodeTrace(encodeTrace(frameKind.trace, start) ?? new Uint8Array(0)), start)
  })

  it('is left out when it would be too long', () => {
    const filter = 'x'.repeat(limits.traceFrameBytesMax)
    const start = { type: 'start', name: '0123456789abcdef', filter, seconds: 1, count: 3 } as const
    assert.equal(encodeTrace(frameKind.trace, start), undefined)
  })
})
