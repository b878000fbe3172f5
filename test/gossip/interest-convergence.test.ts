import assert from 'node:assert/strict'
import fc from 'fast-check'
import { limits } from '../../src/core/limits.ts'
import { topicMatches } from '../../src/core/topic.ts'
import { InterestWorld } from './interest-harness.ts'
import type { InterestNode } from './interest-harness.ts'

const FILTERS = ['a', 'b', 'a/b', 'x/1', 'x/2', 'x/3', '+', '#', 'a/+', 'x/#', '__proto__', 'constructor']

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constant('toggle' as const),
      node: fc.nat(2),
      filter: fc.nat(FILTERS.length - 1),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant('share' as const), node: fc.nat(2), members: fc.nat(3) }),
  },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('wait' as const), ms: fc.nat(60) }) },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant('cut' as const), node: fc.nat(2), other: fc.nat(2) }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('restart' as const), node: fc.nat(2) }) },
)

/** Loses, repeats and delays what reaches `node`, as the numbers say, over and over. */
function worsen(world: InterestWorld, node: InterestNode, fates: readonly number[]): void {
  let at = 0
  node.gossip.loses = (message, from) => {
    const fate = fates[at++ % fates.length] as number
    if (fate === 0) return false
    const copy = message.slice()
    if (fate >= 2) world.clock.schedule(fate * 7, () => node.gossip.forge(copy.slice(), from))
    if (fate >= 4) world.clock.schedule(fate * 40, () => node.gossip.forge(copy.slice(), from))
    return true
  }
}

/** Every other node knows exactly what each wants, and routes every topic to those that want it. */
function assertConverged(nodes: readonly InterestNode[]): void {
  for (const node of nodes) {
    for (const other of nodes) {
      if (other === node) continue
      assert.deepEqual(node.seen(other.address.nodeId), other.wanted)
    }
    for (const topic of ['a', 'b', 'a/b', 'x/1', 'x/2', 'jobs/1', '__proto__', 'constructor', 'else/where']) {
      const wanting = (filtersOf: (other: InterestNode) => Iterable<string>): string[] =>
        nodes
          .filter(
            other => other !== node && [...filtersOf(other)].some(filter => topicMatches(filter, topic)),
          )
          .map(({ address }) => address.nodeId)
          .sort()
      assert.deepEqual(
        [...node.index.match(topic)].sort(),
        wanting(({ filters }) => filters),
      )
      const shared = (node.index.matchShared(topic) ?? []).flatMap(({ members }) => [...members.keys()])
      assert.deepEqual(
        [...new Set(shared)].sort(),
        wanting(({ groups }) => [...groups.values()].map(({ filter }) => filter)),
      )
    }
  }
}

describe('the interest of a cluster', () => {
  it('converges whatever gossip loses, repeats and reorders, and whoever restarts', async () => {
    const fates = fc.array(fc.nat(6), { minLength: 3, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fates, async (steps, fates) => {
        const world = new InterestWorld()
        let incarnation = 0
        const join = (i: number): InterestNode => {
          const node = world.join(`node-${i}`, ++incarnation)
          worsen(world, node, fates.slice(i))
          return node
        }
        const nodes = [join(0), join(1), join(2)]
        for (const event of steps) {
          const node = nodes['node' in event ? event.node : 0] as InterestNode
          if (event.what === 'toggle') {
            const filter = FILTERS[event.filter] as string
            if (node.filters.has(filter)) node.unsubscribe(filter)
            else node.subscribe(filter)
          } else if (event.what === 'share') node.share('g', 'jobs/#', event.members)
          else if (event.what === 'wait') await world.advance(event.ms)
          else if (event.what === 'cut') node.transport.disconnect(`node-${event.other}`)
          else {
            await node.die()
            nodes[event.node] = join(event.node)
          }
        }
        for (const node of nodes) node.gossip.loses = () => false
        await world.advance(6000)
        assertConverged(nodes)
      }),
      { numRuns: 40 },
    )
  }).timeout(120_000)

  it('has no false negative at any moment without loss, with filters that share positions', async () => {
    const world = new InterestWorld()
    const a = world.join('node-a', 1)
    const b = world.join('node-b', 2)
    await world.advance(100)
    for (let round = 0; round < 60; round++) {
      for (let i = 0; i < 120; i++) {
        const filter = `site/${(round * 7919 + i * 31) % 4000}`
        if (a.filters.has(filter)) a.unsubscribe(filter)
        else a.subscribe(filter)
      }
      await world.advance(30)
      assert.deepEqual(
        a.wanted.filter(filter => !b.index.match(filter).includes('node-a')),
        [],
      )
    }
    assert.ok(a.filters.size > 1000)
    assert.equal(b.exchange.stats.repairs, 0)
    await world.advance(3000) // digests agree
    assert.equal(b.exchange.stats.repairs, 0)
  })

  it('repairs only the segments that differ', async () => {
    const world = new InterestWorld()
    const filters = Array.from({ length: 40_000 }, (_, i) => `site/${i}/state`)
    const a = world.join('node-a', 1, filters)
    const b = world.join('node-b', 2)
    await world.advance(200)
    const whole = b.exchange.stats.segmentsReceived
    assert.ok(whole >= 16)
    b.index.node('node-a').addExact(123_456, 789) // as if a bit of memory had turned
    await world.advance(1100)
    assert.equal(b.exchange.stats.repairs, 1)
    assert.equal(b.exchange.stats.segmentsReceived, whole + 1)
    assert.deepEqual(b.exchange.missing, [])
    await world.advance(5000)
    assert.equal(b.exchange.stats.repairs, 1)
    assert.ok(a.exchange.stats.repairBytesSent < 1_200_000)
  })

  it('repairs only the patterns when only they differ', async () => {
    const world = new InterestWorld()
    const a = world.join('node-a', 1, ['exact', 'wild/+'])
    const b = world.join('node-b', 2)
    await world.advance(200)
    const before = b.exchange.stats.segmentsReceived
    b.index.node('node-a').setPattern('', 'wild/+', 0)
    b.index.node('node-a').setPattern('', 'lie/+', 1)
    b.gossip.loses = () => true
    a.subscribe('more/+')
    await world.advance(2200)
    assert.deepEqual(b.seen('node-a'), a.wanted)
    assert.equal(b.exchange.stats.segmentsReceived, before)
  })

  it('grows its bloom filter under a new generation, while filters come and go', async () => {
    const world = new InterestWorld()
    const a = world.join('node-a', 1)
    const b = world.join('node-b', 2)
    await world.advance(100)
    for (let i = 0; i < 30_000; i++) {
      a.subscribe(`site/${i}`)
      if (i % 3 === 0 && i >= 30) a.unsubscribe(`site/${i - 30}`)
      if (i % 1000 === 0) await world.advance(1)
    }
    await world.advance(1500)
    assert.equal(b.index.node('node-a').checksums.length, 8)
    const held = new Set(b.seen('node-a'))
    assert.ok(a.wanted.every(filter => held.has(filter)))
    assert.ok(held.size < a.filters.size * 1.02)
    for (const filter of [...a.filters].slice(100)) a.unsubscribe(filter)
    await world.advance(1500)
    assert.equal(b.index.node('node-a').checksums.length, 1)
    assert.deepEqual(b.seen('node-a'), a.wanted)
  }).timeout(60_000)

  it('takes in a node that comes back after hours, and its later incarnation', async () => {
    const world = new InterestWorld()
    const a = world.join('node-a', 1, ['old'])
    const b = world.join('node-b', 2)
    await world.advance(100)
    b.gossip.loses = () => true
    world.leave(a)
    for (let i = 0; i < 50; i++) b.subscribe(`meanwhile/${i}`)
    await world.advance(3_600_000)
    await a.die()
    const again = world.join('node-a', 7, ['new'])
    b.gossip.loses = () => false
    await world.advance(200)
    assertConverged([again, b])
  })

  it('writes a node anew whose last interest was kept while it was away', async () => {
    const world = new InterestWorld()
    const a = world.join('node-a', 1, ['old', 'old/+'])
    const b = world.join('node-b', 2)
    await world.advance(100)
    b.index.clear = () => undefined // what is kept for outboxes outlives the membership
    await a.die()
    world.leave(a)
    await world.advance(1000)
    assert.deepEqual([b.index.match('old/x'), b.index.match('other')], [['node-a'], []])
    const again = world.join('node-a', 7)
    await world.advance(200)
    assertConverged([again, b])
  })

  it('sends deltas by stream once gossip is at its limit, so that the cluster stays near it', async () => {
    const world = new InterestWorld()
    const nodes = Array.from({ length: 12 }, (_, i) => world.join(`node-${i}`, i + 1))
    await world.advance(100)
    for (let ms = 0; ms < 3000; ms += 10) {
      for (const node of nodes) node.subscribe(`load/${node.address.nodeId}/${ms}`)
      await world.advance(10)
    }
    const sent = nodes.reduce((sum, { exchange }) => sum + exchange.stats.deltasSent, 0)
    assert.ok(sent <= 4.5 * limits.gossipMessagesPerSecondMax, `${sent} gossip messages in 3 s after a pause`)
    assert.ok(nodes.every(({ exchange }) => exchange.stats.deltasStreamed > 0))
    await world.advance(300)
    assertConverged(nodes)
    for (const { exchange } of nodes) assert.equal(exchange.stats.repairs, 0)
    assert.ok(nodes.every(({ exchange }) => exchange.stats.spreadMaxMs < 100))
  }).timeout(60_000)
})
