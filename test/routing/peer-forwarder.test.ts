import assert from 'node:assert/strict'
import { generate } from 'mqtt-packet'
import { headOfPackets } from '../../routing/forward-codec.ts'
import type { Publication } from '../../src/core/publication.ts'
import { PlainPacketDecoder } from '../../src/mqtt/wire/plain-packet-decoder.ts'
import { limits } from '../../src/core/limits.ts'
import { SimPeerNetwork } from '../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { CountedAcceptance, ForwardingNode, publication } from './support/forwarding-node.ts'

const isFull = ({ forwarder }: ForwardingNode): boolean =>
  forwarder.peers.queues().some(queue => queue.isFull)

describe('PeerForwarder', () => {
  let clock: VirtualClock
  let network: SimPeerNetwork
  let a: ForwardingNode
  let b: ForwardingNode
  const node = (nodeId: string, incarnation: number): ForwardingNode =>
    new ForwardingNode({ network, clock, nodeId, incarnation })
  beforeEach(async () => {
    clock = new VirtualClock()
    network = new SimPeerNetwork(clock)
    a = node('a', 1)
    b = node('b', 2)
    a.know(b)
    b.know(a)
    await clock.advance(200)
  })

  it('delivers in order at both levels, and settles QoS 1', async () => {
    const acceptance = new CountedAcceptance()
    for (let i = 0; i < 50; i++) a.forwarder.forward('b', publication(`${i}`, 1), acceptance)
    a.forwarder.forward('b', publication('zero', 0), undefined)
    assert.equal(acceptance.outstanding, 50)
    await clock.advance(50)
    assert.deepEqual(b.received, [...Array.from({ length: 50 }, (_, i) => `${i}`), 'zero'])
    assert.equal(acceptance.outstanding, 0)
  })

  it('passes plain packets of both versions on as they came, in order with what is encoded', async () => {
    const plain = (payload: string, version: 4 | 5): Publication => {
      const bytes = generate(
        { cmd: 'publish', topic: 't', payload, qos: 0, dup: false, retain: false },
        { protocolVersion: version },
      )
      const read = new PlainPacketDecoder().read(bytes, 0, version === 5)
      assert.ok(read)
      return read
    }
    for (let i = 0; i < 5; i++) {
      a.forwarder.forward('b', plain(`${i} of 4`, 4), undefined)
      a.forwarder.forward('b', publication(`${i} encoded`, 0), undefined)
      a.forwarder.forward('b', plain(`${i} of 5`, 5), undefined)
      a.forwarder.forward('b', publication(`${i} kept`, 1), undefined)
    }
    await clock.advance(50)
    const kinds = ['of 4', 'encoded', 'of 5', 'kept']
    assert.deepEqual(
      b.received,
      Array.from({ length: 20 }, (_, i) => `${Math.floor(i / 4)} ${kinds[i % 4]}`),
    )
    assert.equal(a.forwarder.stats.sent, 20)
    assert.equal(b.forwarder.receiverStats.received, 20)
  })

  it('drops and counts a plain packet for a node without a link', async () => {
    a.transport.disconnect('b')
    const packet = generate({ cmd: 'publish', topic: 't', payload: 'x', qos: 0, dup: false, retain: false })
    const read = new PlainPacketDecoder().read(packet, 0, false)
    assert.ok(read)
    a.forwarder.forward('b', read, undefined)
    assert.equal(a.forwarder.stats.dropped, 1)
    await clock.advance(500)
    assert.deepEqual(b.received, [])
  })

  it('closes the link of a peer whose packets are not plain, having delivered those before', async () => {
    const good = generate({ cmd: 'publish', topic: 't', payload: 'good', qos: 0, dup: false, retain: false })
    const bad = generate({ cmd: 'publish', topic: 't', payload: 'bad', qos: 0, dup: false, retain: true })
    a.transport.sendPiece(
      'b',
      'forward',
      headOfPackets(false),
      Buffer.concat([good, bad]),
      0,
      good.length + bad.length,
    )
    await clock.advance(10)
    assert.deepEqual(b.received, ['good'])
    assert.equal(b.forwarder.stats.rejected, 1)
    assert.ok(!b.transport.isUp('a'))
  })

  it('goes on with a node that was taken for an earlier life of it for a moment, as an older state of the store has it', async () => {
    const acceptance = new CountedAcceptance()
    a.forwarder.forward('b', publication('before', 1), acceptance)
    await clock.advance(50)
    b.forwarder.setMembers([{ ...a.address, incarnation: 0 }])
    b.transport.setMembers([{ ...a.address, incarnation: 0 }])
    a.forwarder.forward('b', publication('meanwhile', 1), acceptance)
    await clock.advance(200)
    b.know(a)
    await clock.advance(5000)
    a.forwarder.forward('b', publication('after', 1), acceptance)
    await clock.advance(50)
    assert.deepEqual(b.received, ['before', 'meanwhile', 'after'])
    assert.equal(acceptance.outstanding, 0)
  })

  it('is accepted only after the receiving journal has committed', async () => {
    b.isJournaling = b.isHeld = true
    const acceptance = new CountedAcceptance()
    a.forwarder.forward('b', publication('x', 1), acceptance)
    await clock.advance(50)
    assert.deepEqual(b.received, ['x'])
    assert.equal(acceptance.outstanding, 1)
    b.commit()
    await clock.advance(50)
    assert.equal(acceptance.outstanding, 0)
  })

  for (const how of ['directly', 'through the outbox'] as const) {
    it(`sends a publication ${how}, and what is behind it, once the journal has what it is to be sent after`, async () => {
      a.isHeld = true
      if (how !== 'directly') {
        a.transport.disconnect('b')
        a.know()
      }
      const held = new CountedAcceptance()
      held.sendAfter = Infinity
      a.writer.atomically(() => {
        a.forwarder.forward('b', publication('held', 2), held)
        a.writer.put('receipt', Uint8Array.of(1))
      })
      held.sendAfter = a.writer.appended
      a.forwarder.forward('b', publication('behind', 1), undefined)
      a.forwarder.forward('b', publication('beside', 0), undefined)
      a.know(b)
      await clock.advance(500)
      const early = b.received.splice(0)
      a.commit()
      await clock.advance(50)
      assert.deepEqual(early, how === 'directly' ? ['beside'] : [])
      assert.deepEqual(b.received, ['held', 'behind'])
      assert.equal(held.outstanding, 0)
    })
  }

  it('sends again after a lost link what was not accepted, and the receiver delivers it once', async () => {
    b.isJournaling = b.isHeld = true
    const acceptance = new CountedAcceptance()
    a.forwarder.forward('b', publication('1', 1), acceptance)
    a.forwarder.forward('b', publication('2', 1), acceptance)
    await clock.advance(50)
    a.transport.disconnect('b')
    a.forwarder.forward('b', publication('3', 1), acceptance)
    a.forwarder.forward('b', publication('lost', 0), undefined)
    await clock.advance(500)
    b.commit()
    await clock.advance(50)
    assert.deepEqual(b.received, ['1', '2', '3'])
    assert.equal(acceptance.outstanding, 0)
    assert.equal(a.forwarder.stats.dropped, 1)
  })

  it('gives a restarted receiver everything its earlier life did not accept', async () => {
    b.isJournaling = b.isHeld = true
    const acceptance = new CountedAcceptance()
    a.forwarder.forward('b', publication('1', 1), acceptance)
    await clock.advance(50)
    await b.transport.close()
    await clock.advance(50)
    a.forwarder.forward('b', publication('2', 1), acceptance)
    const reborn = node('b', 3)
    a.know(reborn)
    reborn.know(a)
    await clock.advance(500)
    assert.deepEqual(reborn.received, ['1', '2'])
    assert.equal(acceptance.outstanding, 0)
  })

  it('delivers what a restarted sender forwards, whose numbering starts again', async () => {
    a.forwarder.forward('b', publication('before', 1), undefined)
    await clock.advance(50)
    await a.transport.close()
    const reborn = node('a', 3)
    reborn.know(b)
    b.know(reborn)
    await clock.advance(500)
    reborn.forwarder.forward('b', publication('after', 1), undefined)
    await clock.advance(50)
    assert.deepEqual(b.received, ['before', 'after'])
  })

  it('is full when a peer falls behind, and says when there is room again', async () => {
    b.isJournaling = b.isHeld = true
    let woken = 0
    a.forwarder.onWritable(() => woken++)
    for (let i = 0; i < limits.forwardUnacceptedMax; i++)
      a.forwarder.forward('b', publication('x', 1), undefined)
    assert.ok(isFull(a))
    await clock.advance(50)
    assert.ok(isFull(a))
    assert.equal(woken, 0)
    b.commit()
    await clock.advance(50)
    assert.ok(!isFull(a))
    assert.equal(woken, 1)
  })

  it('does not deliver what expired on the way', async () => {
    a.transport.disconnect('b')
    const acceptance = new CountedAcceptance()
    a.forwarder.forward('b', publication('late', 1, clock.wallNow() + 1), acceptance)
    a.forwarder.forward('b', publication('fresh', 1, clock.wallNow() + 60_000), acceptance)
    await clock.advance(500)
    assert.deepEqual(b.received, ['fresh'])
    assert.equal(acceptance.outstanding, 0)
  })

  it('closes the link of a peer that sends a malformed frame or accepts what was never sent', async () => {
    for (const frame of [[9], [4, 0, 0], [1, 0, 0], [5, 5], [2, 0, 0, 0, 0, 0, 0, 0, 99]]) {
      const rejected = a.forwarder.stats.rejected
      b.transport.send('a', 'forward', Uint8Array.from(frame))
      await clock.advance(500)
      assert.equal(a.forwarder.stats.rejected, rejected + 1)
    }
    assert.ok(a.transport.isUp('b'), 'it is linked again afterwards')
  })
})
