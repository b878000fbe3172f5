import assert from 'node:assert/strict'
import { limits } from '../../src/core/limits.ts'
import { exactDelta as delta, InterestWorld } from './interest-harness.ts'
import type { InterestNode } from './interest-harness.ts'

describe('InterestExchange', () => {
  let world: InterestWorld

  beforeEach(() => {
    world = new InterestWorld()
  })

  /** Two nodes that know each other. */
  async function pair(filters: readonly string[] = []): Promise<[a: InterestNode, b: InterestNode]> {
    const [a, b] = [world.join('node-a', 3, filters), world.join('node-b', 4)]
    await world.advance(100)
    assert.deepEqual([a.exchange.missing, b.exchange.missing], [[], []])
    return [a, b]
  }

  describe('spreading', () => {
    it('carries the first change after a pause without waiting for the batch interval', async () => {
      const [a, b] = await pair()
      a.subscribe('sensors/+/temperature')
      await world.advance(2)
      assert.deepEqual(b.seen('node-a'), ['sensors/+/temperature'])
    })

    it('reaches every member', async () => {
      const nodes = ['a', 'b', 'c', 'd', 'e'].map((name, i) => world.join(`node-${name}`, i + 1))
      await world.advance(100)
      for (const node of nodes) node.subscribe(`of/${node.address.nodeId}`)
      await world.advance(50)
      for (const node of nodes) {
        for (const { address } of nodes) {
          if (address !== node.address) {
            assert.deepEqual(node.seen(address.nodeId), [`of/${address.nodeId}`])
          }
        }
      }
    })

    it('sends at most one message per batch interval under load', async () => {
      const [a, b] = await pair()
      for (let i = 0; i < 200; i++) {
        a.subscribe(`load/${i}`)
        await world.advance(1)
      }
      await world.advance(50)
      assert.equal(b.seen('node-a')?.length, 200)
      assert.ok(a.exchange.stats.deltasSent <= 11, `${a.exchange.stats.deltasSent} messages`)
    })

    it('ends in the right state however often a filter comes and goes', async () => {
      const [a, b] = await pair()
      for (let i = 0; i < 100; i++) {
        a.subscribe('flapping')
        if (i % 7 === 0) await world.advance(3)
        a.unsubscribe('flapping')
        if (i % 5 === 0) await world.advance(9)
      }
      await world.advance(50)
      assert.deepEqual(b.seen('node-a'), [])
      a.subscribe('flapping')
      a.unsubscribe('flapping')
      a.subscribe('flapping')
      await world.advance(50)
      assert.deepEqual(b.seen('node-a'), ['flapping'])
      assert.equal(b.exchange.stats.repairs, 0)
    })

    it('splits what one gossip message cannot hold', async () => {
      const [a, b] = await pair()
      const filters = Array.from({ length: 30_000 }, (_, i) => `${i}/${'x'.repeat(60)}`)
      const wildcards = Array.from({ length: 3_000 }, (_, i) => `${i}/+/${'x'.repeat(60)}`)
      for (const filter of [...filters, ...wildcards]) a.subscribe(filter)
      await world.advance(100)
      assert.deepEqual(b.seen('node-a'), a.wanted)
      assert.ok(a.exchange.stats.deltasSent >= 4)
    })
  })

  describe('joining', () => {
    it('has a new member match everything until its snapshot is there', async () => {
      const a = world.join('node-a', 1)
      world.join('node-b', 2, ['old/filter'])
      assert.equal(a.index.known.get('node-b'), false)
      assert.deepEqual(a.exchange.missing, ['node-b'])
      assert.deepEqual(a.exchange.unheard, ['node-b'])
      await world.advance(100)
      assert.deepEqual(a.seen('node-b'), ['old/filter'])
      assert.deepEqual(a.exchange.missing, [])
      assert.deepEqual(a.exchange.unheard, [])
    })

    it('tells when it becomes synchronized', async () => {
      const a = world.join('node-a', 1)
      const told: string[] = []
      a.exchange.onSynchronizedChanged(() => {
        told.push(`missing ${a.exchange.missing.join()} unheard ${a.exchange.unheard.join()}`)
      })
      world.join('node-b', 2)
      await world.advance(100)
      assert.equal(told[0], 'missing node-b unheard node-b')
      assert.equal(told.at(-1), 'missing  unheard ')
    })

    it('gives a late joiner what was subscribed long before, and changes made while it joins', async () => {
      const filters = Array.from({ length: 20_000 }, (_, i) => `building/${i}/floor`)
      const [a, b] = await pair(filters)
      const late = world.join('node-c', 9)
      for (let i = 0; i < 10; i++) {
        a.subscribe(`new/${i}`)
        a.unsubscribe(`building/${i}/floor`)
        await world.advance(1)
      }
      await world.advance(100)
      assertHolds(late.seen('node-a'), a.wanted)
      assertHolds(b.seen('node-a'), a.wanted)
      assert.equal(late.exchange.stats.repairs, 0)
    })

    it('reports each member with incarnation, sequence and number of filters', async () => {
      const [a, b] = await pair(['one'])
      a.subscribe('two')
      await world.advance(50)
      assert.deepEqual(b.exchange.status(), [
        { nodeId: 'node-a', incarnation: 3, sequence: 1, filters: 2, known: true },
      ])
    })
  })

  describe('leaving and coming back', () => {
    it('forgets a departed node', async () => {
      const [a, b] = await pair(['one'])
      await a.die()
      world.leave(a)
      assert.equal(b.index.has('node-a'), false)
      assert.deepEqual(b.index.match('one'), [])
      assert.deepEqual(b.exchange.missing, [])
    })

    it('replaces the interest of an earlier incarnation', async () => {
      const [a, b] = await pair(['before'])
      await a.die()
      world.join('node-a', 8, ['after'])
      assert.equal(b.seen('node-a'), undefined)
      assert.deepEqual(b.index.match('before'), ['node-a']) // as any topic
      await world.advance(200)
      assert.deepEqual(b.seen('node-a'), ['after'])
    })

    it('ignores deltas of an earlier incarnation', async () => {
      const [a, b] = await pair(['before'])
      await a.die()
      const again = world.join('node-a', 8, ['after'])
      await world.advance(200)
      b.gossip.forge(delta('node-a', 3, 1, ['stale']), again.address.peerId)
      await world.advance(2000)
      assert.deepEqual(b.seen('node-a'), ['after'])
      assert.equal(b.exchange.stats.ignored, 1)
      assert.deepEqual(again.exchange.missing, [])
    })

    it('keeps what it knows while a link is down, and takes in what changed meanwhile', async () => {
      const [a, b] = await pair(['kept'])
      b.gossip.loses = () => true
      a.transport.disconnect('node-b')
      a.subscribe('missed')
      await world.advance(2)
      assert.deepEqual(b.seen('node-a'), ['kept'])
      assert.deepEqual(a.exchange.unheard, ['node-b'])
      await world.advance(100) // linked again, and the first digest has come
      assert.deepEqual(b.seen('node-a'), ['kept', 'missed'])
      assert.deepEqual(a.exchange.unheard, [])
      assert.equal(b.exchange.stats.repairs, 1)
    })

    it('believes nothing it knew, once it was no member for a while, until it is told again', async () => {
      const [a, b] = await pair(['kept'])
      b.gossip.loses = () => true
      a.transport.disconnect('node-b')
      a.subscribe('missed')
      b.exchange.doubt()
      assert.deepEqual(b.exchange.missing, ['node-a'])
      assert.deepEqual(b.index.match('anything'), ['node-a'])
      await world.advance(100)
      assert.deepEqual(b.seen('node-a'), ['kept', 'missed'])
      assert.deepEqual(b.index.match('anything'), [])
    })

    it('does not believe an answer either that was on its way before', async () => {
      const [a, b] = await pair(['kept'])
      b.gossip.loses = () => true
      b.exchange.doubt()
      while (b.exchange.stats.repairsReceived < 2) {
        b.exchange.doubt()
        await world.advance(1)
      }
      a.subscribe('missed')
      assert.deepEqual(b.exchange.missing, ['node-a'])
      await world.advance(100)
      assert.deepEqual(b.seen('node-a'), ['kept', 'missed'])
    })

    it('repairs nothing when nothing changed while the link was down', async () => {
      const [a, b] = await pair(['kept'])
      a.transport.disconnect('node-b')
      await world.advance(200)
      assert.deepEqual(a.exchange.unheard, [])
      assert.equal(b.exchange.stats.repairsReceived, 1)
    })
  })

  describe('repair', () => {
    it('finds a lost last delta by the digest', async () => {
      const [a, b] = await pair()
      b.gossip.loses = () => true
      a.subscribe('lost')
      await world.advance(100)
      assert.deepEqual(b.seen('node-a'), [])
      b.gossip.loses = () => false
      await world.advance(2100)
      assert.deepEqual(b.seen('node-a'), ['lost'])
      assert.equal(b.exchange.stats.repairs, 1)
    })

    it('does not pull for a delta that is merely slower than the digest', async () => {
      const [a, b] = await pair()
      const delayed: Uint8Array[] = []
      b.gossip.loses = message => delayed.push(message.slice()) > 0
      await world.advance(890) // just before a digest
      a.subscribe('slow')
      await world.advance(200)
      for (const message of delayed) b.gossip.forge(message, a.address.peerId)
      await world.advance(3000)
      assert.deepEqual(b.seen('node-a'), ['slow'])
      assert.equal(b.exchange.stats.repairs, 0)
    })

    it('applies deltas that arrive out of order, in order', async () => {
      const [a, b] = await pair()
      const held: Uint8Array[] = []
      b.gossip.loses = message => held.push(message.slice()) > 0
      for (const filter of ['one', 'two', 'three']) {
        a.subscribe(filter)
        await world.advance(30)
      }
      a.unsubscribe('one')
      await world.advance(30)
      for (const message of held.reverse()) b.gossip.forge(message, a.address.peerId)
      assert.deepEqual(b.seen('node-a'), ['three', 'two'])
      await world.advance(3000)
      assert.equal(b.exchange.stats.gaps, 1)
      assert.equal(b.exchange.stats.repairs, 0)
    })

    it('applies a delta that arrives twice once', async () => {
      const [a, b] = await pair()
      const seen: Uint8Array[] = []
      b.gossip.loses = message => seen.push(message.slice()) === 0
      a.subscribe('twice')
      await world.advance(50)
      for (const message of seen) b.gossip.forge(message, a.address.peerId)
      assert.deepEqual(b.seen('node-a'), ['twice'])
      assert.equal(b.exchange.stats.changesApplied, 1)
    })

    it('pulls a snapshot when a missing delta does not come', async () => {
      const [a, b] = await pair()
      b.gossip.loses = () => true
      a.subscribe('lost')
      await world.advance(30)
      b.gossip.loses = () => false
      a.subscribe('after')
      await world.advance(10)
      assert.deepEqual(b.seen('node-a'), [])
      await world.advance(300)
      assert.deepEqual(b.seen('node-a'), ['after', 'lost'])
      assert.equal(b.exchange.stats.repairs, 1)
    })

    it('pulls a snapshot when the state differs at the same sequence', async () => {
      const [a, b] = await pair()
      b.gossip.loses = () => true
      a.subscribe('real')
      await world.advance(30)
      world.mention('forged')
      b.gossip.forge(delta('node-a', 3, 1, ['forged']), a.address.peerId)
      assert.deepEqual(b.seen('node-a'), ['forged'])
      await world.advance(1100)
      assert.deepEqual(b.seen('node-a'), ['real'])
      assert.equal(b.exchange.stats.repairs, 1)
    })

    it('holds back no more deltas than its limit and still ends in the right state', async () => {
      const [a, b] = await pair()
      b.gossip.loses = () => true
      a.subscribe('lost')
      await world.advance(30)
      b.gossip.loses = () => false
      for (let i = 0; i <= limits.gossipBufferedDeltasMax; i++) {
        b.gossip.forge(delta('node-a', 3, 10 + i, [`ahead/${i}`]), a.address.peerId)
      }
      await world.advance(100)
      assert.deepEqual(b.seen('node-a'), ['lost'])
    })

    it('survives any loss: all nodes agree once gossip works again', async () => {
      const nodes = ['a', 'b', 'c'].map((name, i) => world.join(`node-${name}`, i + 1))
      await world.advance(100)
      let step = 0
      for (const node of nodes) node.gossip.loses = () => ++step % 3 === 0
      for (let i = 0; i < 300; i++) {
        const node = nodes[i % 3] as InterestNode
        const filter = `churn/${(i * 7) % 40}`
        if (node.filters.has(filter)) node.unsubscribe(filter)
        else node.subscribe(filter)
        await world.advance(i % 25)
      }
      for (const node of nodes) node.gossip.loses = () => false
      await world.advance(3000)
      for (const node of nodes) {
        for (const other of nodes) {
          if (other === node) continue
          assert.deepEqual(node.seen(other.address.nodeId), other.wanted)
        }
      }
    })
  })
})

/** All of `wanted`, and hardly anything else: a bloom filter may say yes too often. */
function assertHolds(seen: readonly string[] | undefined, wanted: readonly string[]): void {
  const held = new Set(seen)
  assert.deepEqual(
    wanted.filter(filter => !held.has(filter)),
    [],
  )
  assert.ok(held.size <= wanted.length + 3, `${held.size} instead of ${wanted.length}`)
}
