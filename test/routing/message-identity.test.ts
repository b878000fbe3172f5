import assert from 'node:assert/strict'
import { limits } from '../../src/core/limits.ts'
import { MessageIds } from '../../routing/message-ids.ts'
import { RESERVED_FROM } from '../../src/core/publication.ts'
import { SeenMessages } from '../../routing/seen-messages.ts'
import { SimPeerNetwork } from '../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { ForwardingNode, publication } from './support/forwarding-node.ts'

describe('MessageIds', () => {
  it('numbers from 1 in the incarnation it was started with, reserved ids in a series of their own', () => {
    const ids = new MessageIds()
    assert.equal(ids.next(), undefined)
    ids.start(7)
    assert.deepEqual(
      [ids.next(), ids.reserve(), ids.next(), ids.reserve()],
      [
        { incarnation: 7, number: 1 },
        { incarnation: 7, number: RESERVED_FROM },
        { incarnation: 7, number: 2 },
        { incarnation: 7, number: RESERVED_FROM + 1 },
      ],
    )
  })
})

describe('SeenMessages', () => {
  it('knows exactly what it was told of, in whatever order, per incarnation', () => {
    const seen = new SeenMessages()
    for (const number of [3, 5, 9, 4, 200, RESERVED_FROM + 3]) seen.add({ incarnation: 1, number })
    seen.add({ incarnation: 2, number: 7 })
    const known = [1, 2, 3, 4, 5, 6, 7, 9, 200, 201].filter(number => seen.has({ incarnation: 1, number }))
    assert.deepEqual(known, [3, 4, 5, 9, 200])
    assert.ok(seen.has({ incarnation: 1, number: RESERVED_FROM + 3 }))
    assert.ok(seen.has({ incarnation: 2, number: 7 }))
    assert.ok(!seen.has({ incarnation: 3, number: 7 }))
  })

  it('does not take what somebody else relayed for a sign that lower numbers have come', () => {
    const seen = new SeenMessages()
    seen.add({ incarnation: 1, number: 3 })
    seen.add({ incarnation: 1, number: 9 }, true)
    assert.deepEqual(seen.highest(), [{ incarnation: 1, number: 3 }])
    assert.ok(seen.has({ incarnation: 1, number: 9 }))
    assert.ok(seen.isOvertaken({ incarnation: 1, number: 5 }))
  })

  it('forgets the oldest beyond its bounds, and remembers a reserved id whatever flows meanwhile', () => {
    const seen = new SeenMessages()
    seen.add({ incarnation: 1, number: RESERVED_FROM })
    const count = limits.seenNumbersMax + 100
    for (let number = 1; number <= count; number++) seen.add({ incarnation: 1, number })
    assert.ok(!seen.has({ incarnation: 1, number: 100 }))
    assert.ok(seen.has({ incarnation: 1, number: 101 }))
    assert.ok(seen.has({ incarnation: 1, number: count }))
    assert.ok(seen.has({ incarnation: 1, number: RESERVED_FROM }))
    for (let incarnation = 2; incarnation < limits.seenIncarnationsMax + 10; incarnation++) {
      seen.add({ incarnation, number: 1 })
    }
    assert.equal(seen.incarnationCount, limits.seenIncarnationsMax)
    assert.ok(!seen.has({ incarnation: 1, number: count }))
  })
})

describe('a publication with an id', () => {
  let clock: VirtualClock
  let network: SimPeerNetwork
  let nodes: ForwardingNode[]
  beforeEach(async () => {
    clock = new VirtualClock()
    network = new SimPeerNetwork(clock)
    nodes = ['a', 'b', 'c'].map(
      (nodeId, i) => new ForwardingNode({ network, clock, nodeId, incarnation: i + 1 }),
    )
    for (const node of nodes) {
      const others = nodes.filter(other => other !== node)
      node.know(...others)
      node.interested = others.map(({ address }) => address.nodeId)
    }
    await clock.advance(200)
  })

  it('gets it at the ingress at QoS ≥ 1 only, and keeps one it has', () => {
    const [a] = nodes
    const one = publication('1', 1)
    const zero = publication('0', 0)
    const given = { ...publication('will', 0), id: { incarnation: 9, number: 4 } }
    for (const each of [one, zero, given]) a?.router.publish(each, undefined)
    assert.deepEqual(
      [one.id, zero.id, given.id],
      [{ incarnation: 1, number: 1 }, undefined, { incarnation: 9, number: 4 }],
    )
  })

  it('is delivered once on every node when its owner and the leader both publish it', async () => {
    const [a, b, c] = nodes as [ForwardingNode, ForwardingNode, ForwardingNode]
    const will = { ...publication('will', 1), id: a.router.reserveId() }
    a.router.publish({ ...will }, undefined)
    c.router.publish({ ...will }, undefined)
    await clock.advance(50)
    for (const { received } of [a, b, c]) assert.deepEqual(received, ['will'])
    assert.equal(b.local.stats.duplicateIds, 1)
  })

  it('is accepted the second time only when the first delivery is on disk', async () => {
    const [a, b, c] = nodes as [ForwardingNode, ForwardingNode, ForwardingNode]
    b.isJournaling = b.isHeld = true
    const will = { ...publication('will', 1), id: a.router.reserveId() }
    a.router.publish({ ...will }, undefined)
    await clock.advance(10)
    c.router.publish({ ...will }, undefined)
    await clock.advance(50)
    const waiting = (node: ForwardingNode): number | undefined =>
      node.forwarder.peers.queues().find(({ nodeId }) => nodeId === 'b')?.waiting
    assert.deepEqual([waiting(a), waiting(c)], [1, 1])
    b.commit()
    await clock.advance(50)
    assert.deepEqual([waiting(a), waiting(c)], [0, 0])
  })

  it('is refused from a node of the version before ids, which is named', async () => {
    const [a, b] = nodes as [ForwardingNode, ForwardingNode, ForwardingNode]
    const rejected = a.forwarder.stats.rejected
    b.transport.send(
      'a',
      'forward',
      Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x74]),
    )
    await clock.advance(10)
    assert.equal(a.forwarder.stats.rejected, rejected + 1)
    assert.deepEqual(a.received, [])
  })
})
