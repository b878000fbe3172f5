import assert from 'node:assert/strict'
import { limits } from '../../src/core/limits.ts'
import { SimPeerNetwork } from '../../sim/ports/sim-peer-network.ts'
import type { SimDisk } from '../../sim/ports/sim-store.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import type { ForwarderOptions } from '../../routing/peer-forwarder.ts'
import { CountedAcceptance, ForwardingNode, publication } from './support/forwarding-node.ts'

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => String(from + i))
}

const isFull = ({ forwarder }: ForwardingNode): boolean =>
  forwarder.peers.queues().some(queue => queue.isFull)

describe('the outbox of a peer', () => {
  let clock: VirtualClock
  let network: SimPeerNetwork
  let a: ForwardingNode
  let b: ForwardingNode

  const node = (
    nodeId: string,
    incarnation: number,
    options: Partial<ForwarderOptions> = {},
    disk?: SimDisk,
  ): ForwardingNode =>
    new ForwardingNode({ network, clock, nodeId, incarnation, options, ...(disk && { disk }) })

  /** A cluster of two in which `a` routes everything to `b`. */
  const meet = async (options: Partial<ForwarderOptions> = {}): Promise<void> => {
    a = node('a', 1, options)
    b = node('b', 2)
    a.interested = ['b']
    a.know(b)
    b.know(a)
    await clock.advance(200)
  }

  const publish = (from: ForwardingNode, texts: readonly string[], acceptance?: CountedAcceptance): void => {
    for (const text of texts) from.router.publish(publication(text, 1), acceptance)
  }

  beforeEach(() => {
    clock = new VirtualClock()
    network = new SimPeerNetwork(clock)
  })

  it('takes what a late peer has not accepted, and publishers wait for the disk instead', async () => {
    await meet()
    b.isJournaling = b.isHeld = true
    const acceptance = new CountedAcceptance()
    publish(a, ['1', '2', '3'], acceptance)
    await clock.advance(990)
    assert.equal(acceptance.outstanding, 3, 'in time yet')
    a.isHeld = true
    await clock.advance(20)
    assert.equal(acceptance.outstanding, 0)
    assert.ok(acceptance.storeSequence > a.store.committed, 'not on the disk yet')
    a.commit()
    assert.ok(acceptance.storeSequence <= a.store.committed)
    assert.equal(a.kept, 3)
  })

  it('carries everything to a late peer, in order, until nothing is left, then steps aside', async () => {
    await meet()
    b.isJournaling = b.isHeld = true
    const acceptance = new CountedAcceptance()
    publish(a, numbers(1, 5), acceptance)
    await clock.advance(1100)
    publish(a, numbers(6, 10), acceptance)
    assert.equal(acceptance.outstanding, 0, 'it need not be late again')
    await clock.advance(100)
    assert.equal(a.kept, 10)
    b.isHeld = false
    b.commit()
    await clock.advance(100)
    assert.equal(a.kept, 0)
    publish(a, ['11'], acceptance)
    assert.equal(acceptance.outstanding, 1, 'the peer is waited for again')
    await clock.advance(50)
    assert.equal(acceptance.outstanding, 0)
    assert.deepEqual(b.received, numbers(1, 11))
    assert.equal(a.forwarder.stats.lateness, 1)
  })

  it('does not come into use for a peer that accepts in time, however much flows', async () => {
    await meet()
    for (let i = 0; i < 50; i++) {
      publish(a, numbers(i * 10, i * 10 + 9), new CountedAcceptance())
      await clock.advance(100)
    }
    assert.equal(a.forwarder.stats.lateness, 0)
    assert.equal(a.forwarder.acceptLatency.count, 500)
    assert.deepEqual(a.forwarder.acceptLatency.counts.slice(4), [0, 0, 0, 0, 0, 0, 0])
  })

  it('gives a node that was away everything at QoS 1 and 2, in order, from disk in parts, then live messages', async () => {
    await meet({ outboxMessagesMax: 100_000 })
    await b.transport.close()
    a.know()
    const count = limits.outboxWindowMessagesMax * 3 + 17
    for (let i = 1; i <= count; i += 100) {
      publish(a, numbers(i, Math.min(i + 99, count)), new CountedAcceptance())
      await clock.advance(1)
    }
    a.router.publish(publication('never', 0), undefined)
    const reborn = node('b', 3)
    a.know(reborn)
    reborn.know(a)
    await clock.advance(60)
    publish(a, numbers(count + 1, count + 5), new CountedAcceptance())
    await clock.advance(1000)
    assert.deepEqual(reborn.received, numbers(1, count + 5))
    assert.equal(a.kept, 0)
    assert.deepEqual(
      a.forwarder.peers.queues().map(({ waiting, isThroughOutbox }) => [waiting, isThroughOutbox]),
      [[0, false]],
    )
  })

  it('survives kill -9 of the ingress: its next life sends what was acknowledged, under the same ids', async () => {
    await meet()
    b.isJournaling = b.isHeld = true
    publish(a, numbers(1, 5), new CountedAcceptance())
    await clock.advance(1100)
    assert.deepEqual(b.received, numbers(1, 5), 'delivered, though not accepted')
    b.transport.disconnect('a')
    publish(a, numbers(6, 8), new CountedAcceptance())
    await clock.advance(5)
    await a.kill()
    b.isHeld = false
    b.commit()
    const reborn = node('a', 3, {}, a.disk)
    await reborn.forwarder.peers.restore()
    assert.deepEqual(reborn.forwarder.peers.awayNodes, ['b'])
    reborn.interested = ['b']
    reborn.know(b)
    b.know(reborn)
    publish(reborn, ['9'], new CountedAcceptance())
    await clock.advance(500)
    assert.deepEqual(b.received, numbers(1, 9))
    assert.equal(b.local.stats.duplicateIds, 5)
    assert.equal(reborn.kept, 0)
  })

  it('withholds acknowledgements when it is full, and goes on in order when there is room', async () => {
    await meet({ outboxMessagesMax: 4 })
    let woken = 0
    a.forwarder.onWritable(() => woken++)
    b.isJournaling = b.isHeld = true
    const acceptance = new CountedAcceptance()
    publish(a, numbers(1, 3), acceptance)
    await clock.advance(1100)
    assert.ok(!isFull(a))
    publish(a, numbers(4, 6), acceptance)
    assert.ok(isFull(a), 'publishers are not read')
    assert.equal(acceptance.outstanding, 2)
    await clock.advance(3000)
    assert.equal(acceptance.outstanding, 2)
    assert.equal(a.kept, 4)
    b.isHeld = false
    b.commit()
    await clock.advance(100)
    assert.equal(acceptance.outstanding, 0)
    assert.ok(!isFull(a))
    assert.equal(woken, 1)
    assert.deepEqual(b.received, numbers(1, 6))
  })

  it('bounds bytes as well as messages', async () => {
    await meet({ outboxBytesMax: 1000 })
    b.isJournaling = b.isHeld = true
    publish(a, ['x'.repeat(500)], new CountedAcceptance())
    await clock.advance(1100)
    const acceptance = new CountedAcceptance()
    publish(a, ['y'.repeat(500)], acceptance)
    assert.equal(acceptance.outstanding, 1)
    assert.ok(isFull(a))
  })

  it('drops, counts and does not wait when that of a node that is gone is full', async () => {
    await meet({ outboxMessagesMax: 2 })
    await b.transport.close()
    a.know()
    const acceptance = new CountedAcceptance()
    publish(a, numbers(1, 5), acceptance)
    assert.equal(acceptance.outstanding, 0)
    assert.equal(a.forwarder.stats.outboxDropped, 3)
    assert.ok(!isFull(a))
    const reborn = node('b', 3)
    a.know(reborn)
    reborn.know(a)
    await clock.advance(500)
    assert.deepEqual(reborn.received, ['1', '2'])
  })

  it('does not send what expired in it', async () => {
    await meet({ outboxMessagesMax: 100_000 })
    await b.transport.close()
    a.know()
    const count = limits.outboxWindowMessagesMax + 10
    for (let i = 1; i <= count; i++)
      a.router.publish(publication(`${i}`, 1, clock.wallNow() + 5000), undefined)
    publish(a, ['lasts'])
    await clock.advance(6000)
    const reborn = node('b', 3)
    a.know(reborn)
    reborn.know(a)
    for (let i = 0; i < 500; i++) await clock.advance(1)
    assert.deepEqual(reborn.received, ['lasts'])
    assert.ok(a.forwarder.stats.outboxExpired >= 10)
    assert.equal(a.kept, 0)
  })

  it('is thrown away when the node is forgotten, and not before', async () => {
    await meet()
    publish(a, ['1'])
    assert.equal(a.forwarder.peers.forget('b'), false, 'it is a member')
    await b.transport.close()
    a.know()
    publish(a, ['2'])
    await clock.advance(10)
    assert.ok(a.kept > 0)
    assert.equal(a.forwarder.peers.forget('b'), true)
    await clock.advance(10)
    assert.equal(a.kept, 0)
    publish(a, ['3'])
    await clock.advance(10)
    assert.equal(a.kept, 0)
    assert.deepEqual(a.forwarder.peers.awayNodes, [])
  })

  it('does not hold up other peers', async () => {
    await meet()
    const c = node('c', 4)
    a.know(b, c)
    c.know(a)
    a.interested = ['b', 'c']
    await clock.advance(200)
    b.isJournaling = b.isHeld = true
    for (let i = 1; i <= 20; i++) {
      publish(a, [`${i}`], new CountedAcceptance())
      await clock.advance(100)
      assert.equal(c.received.length, i)
    }
    assert.deepEqual(
      a.forwarder.peers.queues().map(({ nodeId, isThroughOutbox }) => [nodeId, isThroughOutbox]),
      [
        ['b', true],
        ['c', false],
      ],
    )
  })
})
