import assert from 'node:assert/strict'
import type { NodeId } from '../../src/core/ids.ts'
import type { LocalSubscription, RemoteGroup, SharedGroup } from '../../src/core/ports/routing.ts'
import type { QoS } from '../../src/core/qos.ts'
import { RESERVED_FROM } from '../../src/core/publication.ts'
import { SharedGroups } from '../../routing/shared-groups.ts'
import { SharedTickets, type SharedStrategy } from '../../routing/shared-tickets.ts'
import { SeededRandom } from '../../sim/ports/seeded-random.ts'
import { SimPeerNetwork } from '../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { CountedAcceptance, ForwardingNode, publication } from './support/forwarding-node.ts'

function remoteGroup(members: Record<NodeId, number>): RemoteGroup {
  return { group: 'g', filter: 't', members: new Map(Object.entries(members)) }
}

function localGroup(size: number): SharedGroup {
  return { group: 'g', filter: 't', size, next: () => undefined, peek: () => undefined }
}

describe('SharedGroups', () => {
  const gone = new Set<NodeId>()
  const shared = (strategy: SharedStrategy, nodeId = 'b'): SharedGroups => {
    const random = new SeededRandom(1)
    return new SharedGroups(nodeId, new SharedTickets(strategy, random), random, peer => !gone.has(peer))
  }
  beforeEach(() => gone.clear())

  const counts = (groups: SharedGroups, times: number): Record<string, number> => {
    const group = { local: localGroup(1), remote: remoteGroup({ c: 1, a: 2 }) }
    const found: Record<string, number> = {}
    for (let i = 0; i < times; i++) {
      const chosen = groups.choose(group, publication('x', 1)) ?? 'nobody'
      found[chosen] = (found[chosen] ?? 0) + 1
    }
    return found
  }

  it('gives each node its share by members: in turn exactly, at random roughly', () => {
    assert.deepEqual(counts(shared('round-robin'), 400), { a: 200, b: 100, c: 100 })
    const { a = 0, b = 0, c = 0 } = counts(shared('random'), 4000)
    assert.ok(Math.abs(a - 2000) < 200 && Math.abs(b - 1000) < 200 && Math.abs(c - 1000) < 200)
  })

  it('keeps to this node while it has a member, if that is the strategy', () => {
    assert.deepEqual(counts(shared('local-first'), 10), { b: 10 })
    const away = { local: undefined, remote: remoteGroup({ a: 1 }) }
    assert.equal(shared('local-first').choose(away, publication('x', 1)), 'a')
  })

  it('stays with one node per publisher, or per topic, wherever the choice is made', () => {
    const onA = { local: localGroup(1), remote: remoteGroup({ b: 1, c: 1 }) }
    const onB = { local: localGroup(1), remote: remoteGroup({ c: 1, a: 1 }) }
    for (const strategy of ['sticky', 'hash-topic'] as const) {
      const found = new Set<NodeId | undefined>()
      for (let i = 0; i < 50; i++) {
        const message = { ...publication('x', 1), publisher: `p${i}`, topic: `t${i}` }
        const chosen = shared(strategy, 'a').choose(onA, message)
        assert.equal(shared(strategy, 'b').choose(onB, message), chosen)
        found.add(chosen)
      }
      assert.equal(found.size, 3)
    }
  })

  it('chooses alike for a will, which its owner and the leader may both publish', () => {
    for (let i = 0; i < 10; i++) {
      const will = { ...publication('x', 1), id: { incarnation: 1, number: RESERVED_FROM + i } }
      const onA = shared('random', 'a').choose({ local: localGroup(1), remote: remoteGroup({ b: 1 }) }, will)
      const onB = shared('random', 'b').choose({ local: localGroup(1), remote: remoteGroup({ a: 1 }) }, will)
      assert.equal(onA, onB)
    }
  })

  it('leaves out nodes that are gone, unless nobody else has a member', () => {
    gone.add('a')
    const group = { local: undefined, remote: remoteGroup({ a: 5, c: 1 }) }
    assert.equal(shared('round-robin').choose(group, publication('x', 1)), 'c')
    gone.add('c')
    assert.ok(['a', 'c'].includes(shared('round-robin').choose(group, publication('x', 1)) ?? ''))
  })
})

describe('a shared subscription across nodes', () => {
  let clock: VirtualClock
  let network: SimPeerNetwork
  let nodes: ForwardingNode[]
  let a: ForwardingNode
  let b: ForwardingNode
  let c: ForwardingNode
  /** Payloads its members got, by node. */
  let got: Map<string, string[]>

  const member = (node: ForwardingNode): LocalSubscription => ({
    filter: 't',
    qos: 2,
    noLocal: false,
    retainAsPublished: false,
    group: 'g',
    subscriptionIdentifiers: [],
    subscriber: {
      clientId: `m-${node.address.nodeId}`,
      canTakeShared: true,
      deliver: ({ payload }) => {
        got.get(node.address.nodeId)?.push(Buffer.from(payload).toString())
        if (node.isJournaling) node.writer.put('delivery', Uint8Array.of(1))
      },
    },
  })
  const publish = (node: ForwardingNode, from: number, to: number, qos: QoS): CountedAcceptance => {
    const acceptance = new CountedAcceptance()
    for (let i = from; i <= to; i++)
      node.router.publish(publication(`${i}`, qos), qos === 0 ? undefined : acceptance)
    return acceptance
  }
  const all = (): number[] =>
    [...got.values()]
      .flat()
      .map(Number)
      .sort((x, y) => x - y)
  const numbers = (from: number, to: number): number[] =>
    Array.from({ length: to - from + 1 }, (_, i) => from + i)

  beforeEach(async () => {
    clock = new VirtualClock()
    network = new SimPeerNetwork(clock)
    nodes = ['a', 'b', 'c'].map(
      (nodeId, i) => new ForwardingNode({ network, clock, nodeId, incarnation: i + 1 }),
    )
    ;[a, b, c] = nodes as [ForwardingNode, ForwardingNode, ForwardingNode]
    got = new Map(nodes.map(({ address }) => [address.nodeId, []]))
    for (const node of nodes) {
      node.know(...nodes.filter(other => other !== node))
      node.index.add(member(node))
      node.sharedElsewhere = [
        remoteGroup(
          Object.fromEntries(nodes.filter(other => other !== node).map(other => [other.address.nodeId, 1])),
        ),
      ]
    }
    await clock.advance(200)
  })

  for (const qos of [0, 1, 2] as const) {
    it(`gets each message at QoS ${qos} exactly once cluster-wide, wherever it is published`, async () => {
      const first = publish(a, 1, 30, qos)
      const second = publish(b, 31, 60, qos)
      await clock.advance(50)
      assert.deepEqual(all(), numbers(1, 60))
      for (const received of got.values()) assert.equal(received.length, 20)
      assert.equal(first.outstanding + second.outstanding, 0)
    })
  }

  it('is not served by frames for ordinary subscribers, nor they by its own', async () => {
    a.interested = ['b']
    a.sharedElsewhere = []
    publish(a, 1, 5, 1)
    await clock.advance(50)
    assert.deepEqual(b.received, ['1', '2', '3', '4', '5'])
    assert.deepEqual(got.get('b'), [])
    assert.equal(got.get('a')?.length, 5)
    assert.deepEqual(c.received, [])
  })

  it('gets from another node what a node without members refuses', async () => {
    const fresh = new ForwardingNode({ network, clock, nodeId: 'd', incarnation: 9 })
    a.know(b, c, fresh)
    fresh.know(a)
    a.sharedElsewhere = [remoteGroup({ d: 1, c: 1 })]
    await clock.advance(200)
    const acceptance = publish(a, 1, 30, 2)
    await clock.advance(50)
    assert.deepEqual(all(), numbers(1, 30))
    assert.equal(fresh.forwarder.receiverStats.refused, 10)
    assert.equal(a.shared.stats.redispatched, 10)
    assert.equal(acceptance.outstanding, 0)
  })

  it('drops and counts what every node refuses, rather than passing it round for ever', async () => {
    const empty = ['d', 'e'].map(
      (nodeId, i) => new ForwardingNode({ network, clock, nodeId, incarnation: 10 + i }),
    )
    const sender = new ForwardingNode({ network, clock, nodeId: 'f', incarnation: 20 })
    sender.know(...empty)
    for (const node of empty) node.know(sender)
    sender.sharedElsewhere = [remoteGroup({ d: 1, e: 1 })]
    await clock.advance(200)
    const acceptance = publish(sender, 1, 1, 1)
    await clock.advance(100)
    assert.equal(acceptance.outstanding, 0)
    assert.equal(sender.shared.stats.nobody, 1)
  })

  it('is told again of a refusal that was lost with the link', async () => {
    const empty = new ForwardingNode({ network, clock, nodeId: 'd', incarnation: 9 })
    a.know(b, c, empty)
    empty.know(a)
    a.sharedElsewhere = [remoteGroup({ d: 1 })]
    await clock.advance(200)
    const acceptance = publish(a, 1, 2, 1) // one to each: a, and d
    await clock.advance(1)
    assert.equal(empty.forwarder.receiverStats.refused, 1)
    a.transport.disconnect('d') // before its answer arrives
    await clock.advance(500)
    assert.deepEqual(all(), [1, 2])
    assert.equal(acceptance.outstanding, 0)
  })

  /** Its next life, after a crash, which knows of `c` as well; that one does not know it yet. */
  const restarted = async (sender: ForwardingNode, empty: ForwardingNode): Promise<ForwardingNode> => {
    await sender.kill()
    const { disk } = sender
    const again = new ForwardingNode({ network, clock, nodeId: 'f', incarnation: 21, disk })
    await again.forwarder.peers.restore()
    again.sharedElsewhere = [remoteGroup({ d: 1, c: 1 })]
    again.know(empty, c)
    empty.know(again)
    return again
  }

  it('gets from another node what was refused to a node that died before it heard of it', async () => {
    const empty = new ForwardingNode({ network, clock, nodeId: 'd', incarnation: 9 })
    const sender = new ForwardingNode({ network, clock, nodeId: 'f', incarnation: 20 })
    sender.sharedElsewhere = [remoteGroup({ d: 1 })]
    sender.know(empty)
    const acceptance = publish(sender, 1, 3, 1)
    await clock.advance(1100)
    assert.deepEqual([acceptance.outstanding, sender.kept], [0, 3])
    empty.know(sender)
    while (empty.forwarder.receiverStats.refused < 3) await clock.advance(1)
    const again = await restarted(sender, empty)
    c.know(a, b, again)
    await clock.advance(500)
    assert.deepEqual([all(), again.kept], [[1, 2, 3], 0])
  })

  for (const how of ['died before another had it', 'went on'] as const) {
    it(`gets all that was refused from the outbox of a node that ${how}`, async () => {
      const empty = new ForwardingNode({ network, clock, nodeId: 'd', incarnation: 9 })
      const sender = new ForwardingNode({ network, clock, nodeId: 'f', incarnation: 20 })
      sender.sharedElsewhere = [remoteGroup({ d: 1 })]
      sender.know(empty)
      publish(sender, 1, 3, 1)
      await clock.advance(1100)
      sender.sharedElsewhere = [remoteGroup({ d: 1, c: 1 })]
      sender.know(empty, c) // c does not know it yet
      empty.know(sender)
      while (sender.shared.stats.redispatched < 3) await clock.advance(1)
      await clock.advance(20)
      assert.equal(sender.kept, 3)
      let last = sender
      if (how === 'went on') {
        await clock.advance(1100)
        assert.equal(sender.kept, 3)
      } else {
        last = await restarted(sender, empty)
      }
      c.know(a, b, last)
      await clock.advance(500)
      assert.deepEqual([all(), last.kept], [[1, 2, 3], 0])
    })
  }

  it('leaves nothing in the outbox of a node that is forgotten while another is to get what it refused', async () => {
    const empty = new ForwardingNode({ network, clock, nodeId: 'd', incarnation: 9 })
    const sender = new ForwardingNode({ network, clock, nodeId: 'f', incarnation: 20 })
    sender.sharedElsewhere = [remoteGroup({ d: 1 })]
    sender.know(empty)
    publish(sender, 1, 3, 1)
    await clock.advance(1100)
    sender.sharedElsewhere = [remoteGroup({ c: 1 })]
    sender.know(empty, c) // c does not know it yet
    empty.know(sender)
    while (sender.shared.stats.redispatched < 3) await clock.advance(1)
    await clock.advance(20)
    sender.know(c)
    assert.equal(sender.forwarder.peers.forget('d'), true)
    await clock.advance(20)
    assert.equal(sender.kept, 0)
    c.know(a, b, sender)
    await clock.advance(500)
    assert.deepEqual(all(), [1, 2, 3])
    const left = sender.forwarder.peers.queues().map(({ nodeId, outboxMessages }) => [nodeId, outboxMessages])
    assert.deepEqual(left.sort(), [
      ['c', 0],
      ['d', 0],
    ])
  })

  it('has what a node that vanished did not accept given to another at QoS 1, and at QoS 2 if it was not sent', async () => {
    b.isJournaling = b.isHeld = c.isJournaling = c.isHeld = true
    a.sharedElsewhere = [remoteGroup({ b: 1 })]
    const one = publish(a, 1, 10, 1)
    const two = publish(a, 11, 20, 2)
    await clock.advance(10)
    a.transport.disconnect('b')
    const unsent = publish(a, 21, 30, 2)
    const toB = new Set(got.get('b')?.map(Number))
    assert.equal(toB.size, 10)
    await b.kill()
    got.set('b', [])
    a.know(c)
    await clock.advance(100)
    assert.equal(one.outstanding + two.outstanding + unsent.outstanding, 0)
    const lostAtTwo = [...toB].filter(number => number > 10)
    assert.deepEqual(
      all(),
      numbers(1, 30).filter(number => !lostAtTwo.includes(number)),
    )
    assert.equal(a.kept, lostAtTwo.length, 'they wait for the node')
  })

  it('keeps for a node that vanished what nobody else can take', async () => {
    const lone = new ForwardingNode({ network, clock, nodeId: 'f', incarnation: 20 })
    lone.know(b)
    b.know(a, c, lone)
    lone.sharedElsewhere = [remoteGroup({ b: 1 })]
    await clock.advance(200)
    b.isJournaling = b.isHeld = true
    const acceptance = publish(lone, 1, 3, 1)
    await clock.advance(10)
    await b.kill()
    lone.know()
    publish(lone, 4, 5, 1)
    await clock.advance(50)
    assert.equal(acceptance.outstanding, 0)
    assert.equal(lone.kept, 5)
  })

  it('is served by nodes whose interest is not known when nobody else is known to have a member', async () => {
    const fresh = new ForwardingNode({ network, clock, nodeId: 'd', incarnation: 9 })
    fresh.know(b, c)
    for (const node of [b, c]) node.know(fresh)
    fresh.unknownElsewhere.push('b')
    await clock.advance(200)
    const acceptance = publish(fresh, 1, 3, 1)
    await clock.advance(50)
    assert.deepEqual(got.get('b'), ['1', '2', '3'])
    assert.deepEqual(got.get('c'), [])
    assert.equal(acceptance.outstanding, 0)
  })

  describe('while the interest of a node is not known', () => {
    let fresh: ForwardingNode
    beforeEach(async () => {
      fresh = new ForwardingNode({ network, clock, nodeId: 'd', incarnation: 9 })
      fresh.know(b, c)
      for (const node of [b, c]) node.know(fresh)
      fresh.unknownElsewhere.push('b')
      await clock.advance(200)
    })

    it('is served there when another shared subscription has members elsewhere, which alone serve that one', async () => {
      const { subscriber, ...subscription } = member(b)
      const deliver: typeof subscriber.deliver = ({ payload }) =>
        got.get('h')?.push(Buffer.from(payload).toString())
      got.set('h', [])
      b.index.add({ ...subscription, group: 'h', subscriber: { ...subscriber, deliver } })
      fresh.sharedElsewhere = [remoteGroup({ c: 1 })]
      const acceptance = publish(fresh, 1, 3, 2)
      await clock.advance(50)
      assert.deepEqual(Object.fromEntries(got), { a: [], b: [], c: ['1', '2', '3'], h: ['1', '2', '3'] })
      assert.equal(acceptance.outstanding, 0)
    })

    it('is served there when nodes that were known to have members have none any more', async () => {
      const empty = new ForwardingNode({ network, clock, nodeId: 'e', incarnation: 10 })
      fresh.know(b, empty)
      empty.know(fresh)
      fresh.sharedElsewhere = [remoteGroup({ e: 1 })]
      await clock.advance(200)
      const acceptance = publish(fresh, 1, 3, 2)
      await clock.advance(50)
      assert.deepEqual(got.get('b'), ['1', '2', '3'])
      assert.equal(acceptance.outstanding, 0)
    })

    it('is served there when that node is back, should it vanish before', async () => {
      b.isJournaling = b.isHeld = true
      const acceptance = publish(fresh, 1, 3, 1)
      await clock.advance(10)
      await b.kill()
      fresh.know(c)
      await clock.advance(50)
      assert.deepEqual([acceptance.outstanding, fresh.kept], [0, 3])
    })
  })

  it('is served by every node itself when the ingress cannot tell the groups', async () => {
    a.interested = ['b', 'c']
    Object.assign(a, { sharedElsewhere: undefined })
    publish(a, 1, 1, 1)
    await clock.advance(50)
    assert.deepEqual([...got.values()], [['1'], ['1'], ['1']])
  })
})
