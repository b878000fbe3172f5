import assert from 'node:assert/strict'
import { SimPeerNetwork } from '../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
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
  function asked(): { heard: (readonly string[])[]; readonly isDone: boolean } {
    const heard: (readonly string[])[] = []
    a.forwarder.whenFlushed(owing => void heard.push([...owing]))
    assert.equal(heard.length, 0, 'called back inside the call')
    return {
      heard,
      get isDone() {
        return heard.at(-1)?.length === 0
      },
    }
  }

  const sent = (from: ForwardingNode, text: string): void =>
    from.forwarder.forward('a', publication(text, 1), new CountedAcceptance())

  it('waits until what the others had has been accepted, and not for what they have later', async () => {
    a.isJournaling = a.isHeld = true
    sent(b, '1')
    await clock.advance(20)
    const first = asked()
    await clock.advance(100)
    sent(b, '2')
    assert.deepEqual([a.received, first.isDone], [['1'], false])
    a.commit()
    await clock.advance(20)
    assert.equal(first.isDone, true)
    const second = asked()
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
    const outcome = asked()
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
    const outcome = asked()
    await clock.advance(10_000)
    assert.deepEqual(outcome.heard, [['c']])
    a.isHeld = false
    a.commit()
    const again = node('c', 4, c.disk)
    await again.forwarder.peers.restore()
    a.know(b, again)
    again.know(a, b)
    await clock.advance(500)
    assert.deepEqual([a.received.at(-1), again.kept, outcome.heard], ['1', 0, [['c'], []]])
  })

  it('waits no longer for a node that is forgotten', async () => {
    await c.kill()
    a.know(b)
    const outcome = asked()
    await clock.advance(1000)
    assert.deepEqual(outcome.heard, [['c']])
    a.forwarder.peers.forget('c')
    await clock.advance(1)
    assert.deepEqual(outcome.heard, [['c'], []])
  })

  it('tells of each node that was gone when it has answered, and of those that are still gone', async () => {
    await b.kill()
    await c.kill()
    a.know()
    const outcome = asked()
    await clock.advance(100)
    assert.deepEqual(outcome.heard, [['b', 'c']])
    const again = node('c', 4, c.disk)
    await again.forwarder.peers.restore()
    a.know(again)
    again.know(a)
    await clock.advance(500)
    assert.deepEqual(outcome.heard, [['b', 'c'], ['b']])
  })

  it('waits for nobody in a cluster of one', async () => {
    const alone = node('alone', 9)
    alone.know()
    let isDone = false
    alone.forwarder.whenFlushed(() => (isDone = true))
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
