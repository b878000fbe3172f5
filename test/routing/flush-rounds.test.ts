import assert from 'node:assert/strict'
import { SimPeerNetwork } from '../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import type { FlushScope } from '../../src/core/ports/routing.ts'
import { CountedAcceptance, ForwardingNode, publication } from './support/forwarding-node.ts'

describe('FlushRounds', () => {
  let clock: VirtualClock
  let network: SimPeerNetwork
  let a: ForwardingNode
  let b: ForwardingNode
  let c: ForwardingNode

  const node = (nodeId: string, incarnation: number, disk = new Map<string, Uint8Array>()): ForwardingNode =>
    new ForwardingNode({ network, clock, nodeId, incarnation, disk, options: { acceptTimeoutMs: 300 } })

  beforeEach(async () => {
    clock = new VirtualClock()
    network = new SimPeerNetwork(clock)
    a = node('a', 1)
    b = node('b', 2)
    c = node('c', 3)
    a.know(b, c)
    b.know(a, c)
    c.know(a, b)
    await clock.advance(200)
  })

  /** Asks on behalf of `a`. */
  function asked(scope: FlushScope): { isDone: boolean } {
    const outcome = { isDone: false }
    a.forwarder.whenFlushed(scope, () => (outcome.isDone = true))
    assert.equal(outcome.isDone, false, 'called back inside the call')
    return outcome
  }

  const sent = (from: ForwardingNode, text: string): void =>
    from.forwarder.forward('a', publication(text, 1), new CountedAcceptance())

  it('waits until what the others had has been accepted, and not for what they have later', async () => {
    a.isJournaling = a.isHeld = true
    sent(b, '1')
    await clock.advance(20)
    const first = asked('all')
    await clock.advance(100)
    sent(b, '2')
    assert.deepEqual([a.received, first.isDone], [['1'], false])
    a.commit()
    await clock.advance(20)
    assert.equal(first.isDone, true)
    const second = asked('all')
    await clock.advance(100)
    assert.deepEqual([a.received, second.isDone], [['1', '2'], false])
    a.commit()
    await clock.advance(20)
    assert.equal(second.isDone, true)
  })

  it('waits for an outbox, across a link that breaks', async () => {
    a.isJournaling = a.isHeld = true
    sent(c, '1')
    await clock.advance(400)
    sent(c, '2')
    const outcome = asked('members')
    await clock.advance(20)
    a.transport.disconnect('c')
    await clock.advance(500)
    assert.deepEqual([c.kept, outcome.isDone], [2, false])
    a.commit()
    await clock.advance(50)
    a.commit()
    await clock.advance(50)
    assert.deepEqual([a.received, c.kept, outcome.isDone], [['1', '2'], 0, true])
  })

  it('waits for a node that is gone until it is back and has sent what lay on its disk', async () => {
    a.isJournaling = a.isHeld = true
    sent(c, '1')
    await clock.advance(400)
    await c.kill()
    a.know(b)
    const members = asked('members')
    const all = asked('all')
    await clock.advance(10_000)
    assert.deepEqual([members.isDone, all.isDone], [true, false])
    a.isHeld = false
    a.commit()
    const again = node('c', 4, c.disk)
    await again.forwarder.restore()
    a.know(b, again)
    again.know(a, b)
    await clock.advance(500)
    assert.deepEqual([a.received.at(-1), again.kept, all.isDone], ['1', 0, true])
  })

  it('waits no longer for a node that is forgotten', async () => {
    await c.kill()
    a.know(b)
    const all = asked('all')
    await clock.advance(1000)
    assert.equal(all.isDone, false)
    a.forwarder.forget('c')
    await clock.advance(1)
    assert.equal(all.isDone, true)
  })

  it('waits for nobody in a cluster of one', async () => {
    const alone = node('alone', 9)
    alone.know()
    let isDone = false
    alone.forwarder.whenFlushed('all', () => (isDone = true))
    await clock.advance(1)
    assert.equal(isDone, true)
  })

  it('closes the link to a peer that answers what it was not asked', async () => {
    let isUp = true
    a.transport.addPeerListener({ onPeerUp() {}, onPeerDown: () => (isUp = false) })
    b.transport.send('a', 'forward', Uint8Array.of(10, 0, 0, 0, 0, 0, 0, 0, 1))
    await clock.advance(10)
    assert.equal(isUp, false)
  })
})
