import assert from 'node:assert/strict'
import fc from 'fast-check'
import { FramePump } from '../../routing/frame-pump.ts'
import { decodeRetainedFrame, encodeRetainedFrame } from '../../routing/retained-frame-codec.ts'
import type { RetainedFrame } from '../../routing/retained-frame-codec.ts'
import { SimPeerNetwork } from '../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { limits } from '../../src/core/limits.ts'
import { until } from '../contract/harness.ts'
import { defaultOptions } from '../mqtt/support/mqtt-harness.ts'
import { DIGEST_MS, meet, NOW_MS, RetainedNode as Node } from './support/retained-node.ts'

describe('retained messages of several nodes', () => {
  let clock: VirtualClock
  let network: SimPeerNetwork
  let nodes: Node[]
  const advance = (ms: number): Promise<void> => clock.advance(ms)

  beforeEach(() => {
    clock = new VirtualClock()
    network = new SimPeerNetwork(clock)
    nodes = []
  })

  function start(count: number): Node[] {
    for (let i = 0; i < count; i++)
      nodes.push(new Node(clock, network, `n${nodes.length}`, 10 + nodes.length))
    meet(nodes)
    return nodes
  }

  const isEqual = (): boolean => new Set(nodes.map(({ messages }) => messages.checksum)).size === 1

  it('become equal whatever was missed, the last writer of each topic winning', async () => {
    const [a, b, c] = start(3) as [Node, Node, Node]
    a.publish('x', 'first')
    await advance(5)
    b.publish('x', 'second')
    b.publish('only/b', 'b')
    c.publish('only/c', 'c')
    await until({ advance }, 'equal copies', isEqual)
    for (const node of nodes) {
      assert.deepEqual(node.contents, { x: 'second', 'only/b': 'b', 'only/c': 'c' })
    }
  })

  it('a deletion does not come back from a node that missed it', async () => {
    const [a, b] = start(2) as [Node, Node]
    a.publish('x', 'there')
    await until({ advance }, 'equal copies', isEqual)
    meet([a])
    meet([b])
    b.publish('x', '')
    meet(nodes)
    await until({ advance }, 'equal copies', isEqual)
    assert.deepEqual([a.contents, b.contents], [{}, {}])
  })

  it('a deletion is forgotten after its time, and what comes later than that is not revived by it', async () => {
    const [a] = start(1) as [Node]
    a.publish('x', 'there')
    a.publish('x', '')
    assert.equal(a.messages.entryCount, 1)
    await advance(defaultOptions.retainedTombstoneTtlMs + 1)
    a.messages.sweep()
    assert.equal(a.messages.entryCount, 0)
  })

  it('a stamp far in the future is refused, and its sender is told that its clock is wrong', async () => {
    const [a, b] = start(2) as [Node, Node]
    a.skewMs = 10_000
    a.publish('x', 'from tomorrow')
    await advance(3 * DIGEST_MS)
    assert.deepEqual(b.contents, {})
    assert(b.stats.retainedFromFuture > 0)
    assert.deepEqual(
      a.sync.clockComplaints.map(({ nodeId, aheadMs }) => [nodeId, Math.round(aheadMs / 1000)]),
      [['n1', 10]],
    )
    a.skewMs = 0
    await advance(10 * DIGEST_MS)
    assert.deepEqual(a.sync.clockComplaints, [])
    await until({ advance }, 'equal copies', isEqual, 20_000)
  })

  it('a clock slightly behind does not lose to what it has seen', async () => {
    const [a, b] = start(2) as [Node, Node]
    b.skewMs = -400
    a.publish('x', 'old')
    await until({ advance }, 'equal copies', isEqual)
    b.publish('x', 'new')
    await until({ advance }, 'equal copies', isEqual)
    assert.deepEqual(a.contents, { x: 'new' })
  })

  it('a node that joins has everything before it says that it is synchronized', async () => {
    const [a] = start(1) as [Node]
    for (let i = 0; i < 5000; i++) a.publish(`topic/${i}`, `message ${i}`)
    const joiner = new Node(clock, network, 'n1', 11)
    nodes.push(joiner)
    meet(nodes)
    assert(!joiner.sync.isSynchronized)
    await until({ advance }, 'the joiner is synchronized', () => joiner.sync.isSynchronized, 20_000)
    assert.equal(joiner.messages.count, 5000)
  })

  it('an expired message is not sent about', async () => {
    const [a] = start(1) as [Node]
    a.publish('x', 'short', NOW_MS + 2000)
    await advance(3000)
    const [, b] = start(1) as [Node, Node]
    await advance(5 * DIGEST_MS)
    assert.deepEqual(b.contents, {})
  })
})

describe('frames of the retained channel', () => {
  const stamp = fc.record({ time: fc.maxSafeNat(), incarnation: fc.maxSafeNat() }, { noNullPrototype: true })
  const topic = fc.string({ unit: 'grapheme', maxLength: 30 })

  it('come out as they went in', () => {
    fc.assert(
      fc.property(
        fc.nat(4095),
        fc.boolean(),
        fc.array(fc.record({ topic, stamp }, { noNullPrototype: true })),
        (bucket, isLast, versions) => {
          const frame = { type: 'have', bucket, isLast, versions } as const
          assert.deepEqual(decodeRetainedFrame(encodeRetainedFrame(frame)), frame)
        },
      ),
    )
    fc.assert(
      fc.property(fc.array(topic), topics => {
        assert.deepEqual(decodeRetainedFrame(encodeRetainedFrame({ type: 'want', topics })), {
          type: 'want',
          topics,
        })
      }),
    )
  })

  it('about payloads come out as they went in', () => {
    const versions = fc.array(fc.record({ topic, stamp }, { noNullPrototype: true }))
    const payload = fc.option(fc.uint8Array(), { nil: undefined })
    fc.assert(
      fc.property(topic, stamp, payload, versions, (...[name, at, bytes, several]) => {
        const publish = bytes ?? new Uint8Array(0)
        for (const frame of [
          { type: 'fetch', topic: name, stamp: at },
          { type: 'payload', topic: name, stamp: at, payload: bytes },
          { type: 'offer', versions: several },
          { type: 'held', versions: several },
          { type: 'large', payloadBytes: 70_000, publish },
        ] as const) {
          assert.deepEqual(decodeRetainedFrame(encodeRetainedFrame(frame)), frame)
        }
      }),
    )
  })

  it('that were cut short or changed are malformed or others, never an exception', () => {
    const frame = encodeRetainedFrame({
      type: 'have',
      bucket: 1,
      isLast: true,
      versions: [{ topic: 'a/b', stamp: { time: 1, incarnation: 2 } }],
    })
    for (let length = 0; length < frame.length; length++) decodeRetainedFrame(frame.subarray(0, length))
    const fetch = encodeRetainedFrame({ type: 'fetch', topic: 'a/b', stamp: { time: 1, incarnation: 2 } })
    for (let length = 0; length < fetch.length; length++) {
      assert.equal(decodeRetainedFrame(fetch.subarray(0, length)), undefined)
    }
    const several = Buffer.concat([fetch, fetch.subarray(2)])
    assert.equal(decodeRetainedFrame(several), undefined, 'one message at a time')
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), bytes => void decodeRetainedFrame(bytes)))
  })
})

describe('RetainedSync and a member that floods', () => {
  let clock: VirtualClock
  let victim: Node
  let flooder: Node
  let isReading: boolean
  /** What the victim has sent. */
  let sent: RetainedFrame[]

  beforeEach(async () => {
    clock = new VirtualClock()
    const network = new SimPeerNetwork(clock)
    victim = new Node(clock, network, 'victim', 1)
    flooder = new Node(clock, network, 'flooder', 2)
    for (let i = 0; i < 50; i++) victim.publish(`topic/${i}`, 'x')
    meet([victim, flooder])
    await clock.advance(20_000)
    sent = []
    isReading = false
    const send = victim.transport.send.bind(victim.transport)
    victim.transport.send = (nodeId, channel, frame) => {
      if (!isReading) return false
      const decoded = decodeRetainedFrame(frame)
      if (decoded !== undefined) sent.push(decoded)
      return send(nodeId, channel, frame)
    }
  })

  const flood = async (frame: Uint8Array, count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      assert(flooder.transport.send('victim', 'retained', frame))
      if (i % 10 === 9) await clock.advance(1)
    }
    await clock.advance(1)
  }

  const buckets = (): Uint8Array => {
    const checksums = new Uint32Array(victim.messages.bucketCount).fill(1)
    return encodeRetainedFrame({ type: 'buckets', checksums })
  }

  it('has one comparison under way for it, however often it asks', async () => {
    await flood(buckets(), 50)
    isReading = true
    for (const listener of victim.transport.drainListeners) listener('flooder', 'retained')
    assert.equal(sent.filter(({ type }) => type === 'mark').length, 1)
    await flood(buckets(), 1)
    assert.equal(sent.filter(({ type }) => type === 'mark').length, 2, 'and another when that is over')
    assert(victim.transport.isUp('flooder'))
  })

  it('closes its link when it asks for more comparisons than one member may', async () => {
    await flood(buckets(), limits.retainedPassesBurstMax - 2)
    assert(victim.transport.isUp('flooder'))
    await flood(buckets(), 9)
    assert(!victim.transport.isUp('flooder'))
    assert(victim.sync.stats.flooded > 0)
  })

  it('closes its link when it asks for entries and does not read them', async () => {
    const unknown = Array.from({ length: 100 }, (_, i) => `${'x'.repeat(10_000)}${i}`)
    const topics = ['topic/0', ...unknown]
    const want = encodeRetainedFrame({ type: 'want', topics })
    const count = Math.floor(limits.retainedAskedBytesMax / (want.length + 256))
    await flood(want, count)
    assert(victim.transport.isUp('flooder'))
    await flood(want, 2)
    assert(!victim.transport.isUp('flooder'))
    assert(victim.sync.stats.flooded > 0)
  })
})

describe('a frame pump', () => {
  it('makes no frame before the one before it was taken', () => {
    const made: number[] = []
    const sent: number[] = []
    let room = 2
    const send = (_nodeId: string, _channel: string, frame: Uint8Array): boolean => {
      if (room === 0) return false
      room--
      sent.push(frame[0] ?? 0)
      return true
    }
    const pump = new FramePump({ send } as never, 'n', 'retained')
    function* frames(): Iterable<Uint8Array> {
      for (let i = 1; i <= 5; i++) {
        made.push(i)
        yield Uint8Array.of(i)
      }
    }
    pump.add(frames())
    assert.deepEqual(
      [made, sent],
      [
        [1, 2, 3],
        [1, 2],
      ],
    )
    room = 9
    pump.pump()
    assert.deepEqual(sent, [1, 2, 3, 4, 5])
  })
})
