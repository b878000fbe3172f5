import assert from 'node:assert/strict'
import { limits } from '../../src/core/limits.ts'
import { SimPeerNetwork } from '../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { CountedAcceptance, ForwardingNode, publication } from './support/forwarding-node.ts'

describe('ForwardPeers', () => {
  let clock: VirtualClock
  let a: ForwardingNode
  let b: ForwardingNode
  beforeEach(async () => {
    clock = new VirtualClock()
    const network = new SimPeerNetwork(clock)
    a = new ForwardingNode({ network, clock, nodeId: 'a', incarnation: 1 })
    b = new ForwardingNode({ network, clock, nodeId: 'b', incarnation: 2 })
    a.know(b)
    b.know(a)
    await clock.advance(200)
  })

  it('keeps on disk what waits for a node that vanished, and numbers on when the same life returns', async () => {
    const acceptance = new CountedAcceptance()
    a.forwarder.forward('b', publication('1', 1), acceptance)
    await clock.advance(50)
    a.transport.disconnect('b')
    a.forwarder.forward('b', publication('2', 1), acceptance)
    a.know()
    assert.equal(acceptance.outstanding, 0)
    await clock.advance(1)
    assert.ok(a.store.committed >= acceptance.storeSequence)
    assert.equal(a.kept, 1)
    a.forwarder.forward('b', publication('3', 1), acceptance)
    a.know(b)
    await clock.advance(500)
    a.forwarder.forward('b', publication('4', 1), acceptance)
    await clock.advance(50)
    assert.deepEqual(b.received, ['1', '2', '3', '4'])
    assert.equal(acceptance.outstanding, 0)
    assert.equal(a.kept, 0)
  })

  it('keeps nothing for a node that said it leaves and holds nothing', async () => {
    const acceptance = new CountedAcceptance()
    b.forwarder.farewell()
    await clock.advance(10)
    a.transport.disconnect('b')
    a.forwarder.forward('b', publication('1', 1), acceptance)
    a.know()
    a.forwarder.forward('b', publication('2', 1), acceptance)
    assert.equal(acceptance.outstanding, 0)
    assert.equal(a.forwarder.stats.abandoned, 1)
    assert.deepEqual(a.forwarder.peers.awayNodes, [])
    await clock.advance(10)
    assert.equal(a.kept, 0)
  })

  it('gives to another node what was for a shared subscription of one that leaves and holds nothing', async () => {
    const acceptance = new CountedAcceptance()
    const returned: string[] = []
    a.forwarder.onUndelivered((nodeId, { payload }, { group }) => {
      assert.deepEqual([nodeId, group, a.forwarder.members], ['b', 'g', []])
      returned.push(String(payload))
    })
    for (const qos of [1, 2] as const)
      a.forwarder.forwardToGroup('b', publication(`${qos}`, qos), { group: 'g', filter: 't' }, acceptance, 0)
    a.forwarder.forward('b', publication('for nobody', 1), acceptance)
    b.forwarder.farewell()
    b.forwarder.stop()
    await clock.advance(50)
    a.know()
    assert.deepEqual(returned, ['1', '2'])
    assert.equal(acceptance.outstanding, 0)
    assert.equal(a.forwarder.stats.abandoned, 1)
  })

  it('does not give to a third node what the node refused, and another has had, before it left [MQTT-4.8.2-5]', async () => {
    const returned: string[] = []
    a.forwarder.onUndelivered((_, { payload }) => void returned.push(String(payload)))
    b.isJournaling = b.isHeld = true // so that nothing is accepted any more
    a.forwarder.forward('b', publication('kept back', 1), undefined)
    a.forwarder.forwardToGroup('b', publication('2', 2), { group: 'g', filter: 't' }, undefined, 0)
    await clock.advance(50)
    assert.deepEqual(returned, ['2'])
    b.forwarder.farewell()
    b.forwarder.stop()
    await clock.advance(10)
    a.know()
    assert.deepEqual(returned, ['2'])
  })

  it('gives it to another node though it lies in the outbox as well', async () => {
    const returned: string[] = []
    a.forwarder.onUndelivered((_, { payload }) => void returned.push(String(payload)))
    b.forwarder.farewell()
    b.forwarder.stop()
    await clock.advance(10)
    for (const text of ['1', '2', '3'])
      a.forwarder.forwardToGroup('b', publication(text, 1), { group: 'g', filter: 't' }, undefined, 0)
    await clock.advance(1500)
    assert.equal(a.forwarder.peers.queues()[0]?.outboxMessages, 3)
    a.know()
    assert.deepEqual(returned, ['1', '2', '3'])
    await clock.advance(10)
    assert.equal(a.kept, 0)
  })

  it('forgets the node longest gone, and counts what waits for it, when too many are away', () => {
    const { peers, stats } = a.forwarder
    a.know()
    a.forwarder.forward('b', publication('lost', 1), undefined)
    for (let i = 1; i < limits.awayNodesMax; i++) assert.ok(peers.expectBack(`n${i}`))
    assert.ok(peers.awayNodes.includes('b'))
    assert.equal(stats.abandoned, 0)
    assert.ok(peers.expectBack('one more'))
    assert.ok(!peers.awayNodes.includes('b'))
    assert.equal(peers.awayNodes.length, limits.awayNodesMax)
    assert.equal(stats.abandoned, 1)
  })
})
