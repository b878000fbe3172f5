import assert from 'node:assert/strict'
import { limits } from '../../src/core/limits.ts'
import type { PeerAddress, PeerTransport } from '../../src/core/ports/peer-transport.ts'
import type { Acceptance, LocalSubscription } from '../../src/core/ports/routing.ts'
import type { Publication } from '../../src/core/publication.ts'
import { TrieLocalIndex } from '../../routing/local-index.ts'
import { LocalRouter } from '../../routing/local-router.ts'
import { PeerForwarder } from '../../routing/peer-forwarder.ts'
import { SimPeerNetwork } from '../../sim/ports/sim-peer-network.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { silentLogger } from '../support/silent-logger.ts'

/** A journal a test commits by hand. */
class HeldJournal {
  appended = 0
  committed = 0
  readonly #listeners: ((upTo: number) => void)[] = []

  onCommitted(listener: (upTo: number) => void): void {
    this.#listeners.push(listener)
  }

  commit(): void {
    this.committed = this.appended
    for (const listener of this.#listeners) listener(this.committed)
  }
}

class CountedAcceptance implements Acceptance {
  outstanding = 0

  expect(): void {
    this.outstanding++
  }

  settle(): void {
    this.outstanding--
  }

  requireCommitted(): void {}
}

function publication(payload: string, qos: 0 | 1, expiresAtMs?: number): Publication {
  return {
    topic: 't',
    payload: Buffer.from(payload),
    qos,
    retain: false,
    properties: undefined,
    expiresAtMs,
    publisher: 'p',
  }
}

/** One node's forwarding, with a subscriber of everything. */
class Node {
  readonly received: string[] = []
  readonly journal = new HeldJournal()
  readonly transport: PeerTransport
  readonly forwarder: PeerForwarder
  readonly address: PeerAddress
  isJournaling = false

  constructor(network: SimPeerNetwork, clock: VirtualClock, nodeId: string, incarnation: number) {
    this.transport = network.transport(nodeId)
    const index = new TrieLocalIndex()
    const subscription: LocalSubscription = {
      filter: '#',
      qos: 1,
      noLocal: false,
      retainAsPublished: false,
      group: undefined,
      subscriptionIdentifiers: [],
      subscriber: {
        clientId: 's',
        canTakeShared: true,
        deliver: ({ payload }) => {
          this.received.push(Buffer.from(payload).toString())
          if (this.isJournaling) this.journal.appended++
        },
      },
    }
    index.add(subscription)
    this.forwarder = new PeerForwarder({
      transport: this.transport,
      local: new LocalRouter(index, this.journal),
      journal: this.journal,
      clock,
      logger: silentLogger,
    })
    this.address = { nodeId, incarnation, ...this.transport.self }
    this.transport.start(nodeId, incarnation)
  }

  know(...peers: Node[]): void {
    const addresses = peers.map(({ address }) => address)
    this.forwarder.setMembers(addresses)
    this.transport.setMembers(addresses)
  }
}

describe('PeerForwarder', () => {
  let clock: VirtualClock
  let network: SimPeerNetwork
  let a: Node
  let b: Node
  beforeEach(async () => {
    clock = new VirtualClock()
    network = new SimPeerNetwork(clock)
    a = new Node(network, clock, 'a', 1)
    b = new Node(network, clock, 'b', 2)
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

  it('is accepted only after the receiving journal has committed', async () => {
    b.isJournaling = true
    const acceptance = new CountedAcceptance()
    a.forwarder.forward('b', publication('x', 1), acceptance)
    await clock.advance(50)
    assert.deepEqual(b.received, ['x'])
    assert.equal(acceptance.outstanding, 1)
    b.journal.commit()
    await clock.advance(50)
    assert.equal(acceptance.outstanding, 0)
  })

  it('sends again after a lost link what was not accepted, and the receiver delivers it once', async () => {
    b.isJournaling = true
    const acceptance = new CountedAcceptance()
    a.forwarder.forward('b', publication('1', 1), acceptance)
    a.forwarder.forward('b', publication('2', 1), acceptance)
    await clock.advance(50)
    a.transport.disconnect('b', 'test')
    a.forwarder.forward('b', publication('3', 1), acceptance)
    a.forwarder.forward('b', publication('lost', 0), undefined)
    await clock.advance(500)
    b.journal.commit()
    await clock.advance(50)
    assert.deepEqual(b.received, ['1', '2', '3'])
    assert.equal(acceptance.outstanding, 0)
    assert.equal(a.forwarder.stats.dropped, 1)
  })

  it('gives a restarted receiver everything its earlier life did not accept', async () => {
    b.isJournaling = true
    const acceptance = new CountedAcceptance()
    a.forwarder.forward('b', publication('1', 1), acceptance)
    await clock.advance(50)
    await b.transport.close()
    await clock.advance(50)
    a.forwarder.forward('b', publication('2', 1), acceptance)
    const reborn = new Node(network, clock, 'b', 3)
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
    const reborn = new Node(network, clock, 'a', 3)
    reborn.know(b)
    b.know(reborn)
    await clock.advance(500)
    reborn.forwarder.forward('b', publication('after', 1), undefined)
    await clock.advance(50)
    assert.deepEqual(b.received, ['before', 'after'])
  })

  it('settles and counts what waits for a node that leaves, and numbers on when the same life returns', async () => {
    const acceptance = new CountedAcceptance()
    a.forwarder.forward('b', publication('1', 1), acceptance)
    await clock.advance(50)
    a.transport.disconnect('b', 'test')
    a.forwarder.forward('b', publication('gone', 1), acceptance)
    a.know()
    assert.equal(acceptance.outstanding, 0)
    assert.equal(a.forwarder.stats.abandoned, 1)
    a.know(b)
    await clock.advance(500)
    a.forwarder.forward('b', publication('2', 1), acceptance)
    await clock.advance(50)
    assert.deepEqual(b.received, ['1', '2'])
    assert.equal(acceptance.outstanding, 0)
  })

  it('is full when a peer falls behind, and says when there is room again', async () => {
    b.isJournaling = true
    let woken = 0
    a.forwarder.onWritable(() => woken++)
    for (let i = 0; i < limits.forwardUnacceptedMax; i++)
      a.forwarder.forward('b', publication('x', 1), undefined)
    assert.ok(a.forwarder.isFull)
    await clock.advance(50)
    assert.ok(a.forwarder.isFull)
    assert.equal(woken, 0)
    b.journal.commit()
    await clock.advance(50)
    assert.ok(!a.forwarder.isFull)
    assert.equal(woken, 1)
  })

  it('does not deliver what expired on the way', async () => {
    a.transport.disconnect('b', 'test')
    const acceptance = new CountedAcceptance()
    a.forwarder.forward('b', publication('late', 1, clock.wallNow() + 1), acceptance)
    a.forwarder.forward('b', publication('fresh', 1, clock.wallNow() + 60_000), acceptance)
    await clock.advance(500)
    assert.deepEqual(b.received, ['fresh'])
    assert.equal(acceptance.outstanding, 0)
  })

  it('closes the link of a peer that sends a malformed frame or accepts what was never sent', async () => {
    for (const frame of [[9], [1, 0, 0], [2, 0, 0, 0, 0, 0, 0, 0, 99]]) {
      const rejected = a.forwarder.stats.rejected
      b.transport.send('a', 'forward', Uint8Array.from(frame))
      await clock.advance(500)
      assert.equal(a.forwarder.stats.rejected, rejected + 1)
    }
    assert.ok(a.transport.isUp('b'), 'it is linked again afterwards')
  })
})
