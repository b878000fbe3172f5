import assert from 'node:assert/strict'
import { SPREAD_CLASSES_MS } from '../../gossip/interest-stats.ts'
import { InterestWorld } from './interest-harness.ts'
import type { InterestNode } from './interest-harness.ts'

describe('a route barrier', () => {
  let world: InterestWorld
  let nodes: InterestNode[]
  let a: InterestNode

  async function cluster(count: number): Promise<void> {
    nodes = Array.from({ length: count }, (_, i) => world.join(`node-${i}`, i + 1))
    a = nodes[0] as InterestNode
    await world.advance(100)
  }

  /** Outcomes of barriers begun by `a` now, in the order they end. */
  function barrier(level: 'quorum' | 'all', timeoutMs = 400): boolean[] {
    const outcomes: boolean[] = []
    a.exchange.whenApplied(level, timeoutMs, isApplied => outcomes.push(isApplied))
    assert.deepEqual(outcomes, [], 'called back within the call')
    return outcomes
  }

  function deafen(...names: number[]): void {
    for (const name of names) (nodes[name] as InterestNode).gossip.loses = () => true
  }

  beforeEach(() => {
    world = new InterestWorld()
  })

  it('`all` is reached when every member has applied the change, and not before', async () => {
    await cluster(3)
    a.subscribe('new')
    const outcomes = barrier('all')
    while (outcomes.length === 0) await world.advance(1)
    assert.deepEqual(outcomes, [true])
    for (const node of nodes.slice(1)) assert.deepEqual(node.seen('node-0'), ['new'])
  })

  it('`all` waits for the member that has not, `quorum` only for more than half', async () => {
    await cluster(5)
    deafen(3, 4)
    a.subscribe('new')
    const all = barrier('all')
    const quorum = barrier('quorum')
    await world.advance(100)
    assert.deepEqual([all, quorum], [[], [true]])
    await world.advance(400)
    assert.deepEqual([all, quorum], [[false], [true]])
    assert.equal(a.exchange.stats.barriersTimedOut, 1)
  })

  it('half of the members are no quorum', async () => {
    await cluster(4)
    deafen(2, 3)
    a.subscribe('new')
    const outcomes = barrier('quorum')
    await world.advance(100)
    assert.deepEqual(outcomes, [])
    await world.advance(2500) // a digest has repaired it, too late
    assert.deepEqual(outcomes, [false])
  })

  it('is reached through the repair of what gossip lost', async () => {
    await cluster(3)
    deafen(1)
    a.subscribe('new')
    const outcomes = barrier('all', 5_000)
    await world.advance(2500)
    assert.deepEqual(outcomes, [true])
    assert.deepEqual(nodes[1]?.seen('node-0'), ['new'])
  })

  it('is not held up by a member that leaves', async () => {
    await cluster(3)
    deafen(2)
    a.subscribe('new')
    const outcomes = barrier('all')
    await world.advance(100)
    assert.deepEqual(outcomes, [])
    world.leave(nodes[2] as InterestNode)
    await world.advance(1)
    assert.deepEqual(outcomes, [true])
  })

  it('is not reached while a life may act that is no member here: at `all`, and where it makes up the half', async () => {
    await cluster(3)
    a.exchange.setUnseen(1)
    a.subscribe('new')
    const all = barrier('all', 5000)
    const quorum = barrier('quorum', 5000)
    await world.advance(100)
    assert.deepEqual([all, quorum], [[], [true]])
    const isApplied = (): boolean => a.exchange.isAppliedUpTo(world.clock.now())
    assert.equal(isApplied(), false)
    a.exchange.setUnseen(3)
    const missed = barrier('quorum')
    await world.advance(500)
    assert.deepEqual([all, missed], [[], [false]])
    a.exchange.setUnseen(0)
    await world.advance(1)
    assert.deepEqual(all, [true])
    assert.equal(isApplied(), true)
  })

  it('waits for a member that joins meanwhile', async () => {
    await cluster(2)
    deafen(1)
    a.subscribe('new')
    const outcomes = barrier('all', 5_000)
    const late = world.join('node-9', 9)
    while (outcomes.length === 0) await world.advance(1)
    assert.deepEqual(outcomes, [true])
    assert.deepEqual(late.seen('node-0'), ['new'])
    assert.deepEqual(nodes[1]?.seen('node-0'), ['new'])
  })

  it('is soon reached when nothing changed, and when there is nobody else', async () => {
    await cluster(2)
    const nothing = barrier('all')
    await world.advance(1)
    assert.deepEqual(nothing, [true])
    world = new InterestWorld()
    await cluster(1)
    a.subscribe('new')
    const alone = [barrier('all'), barrier('quorum')]
    await world.advance(50)
    assert.deepEqual(alone, [[true], [true]])
  })

  it('tells at once whether changes up to a time are applied everywhere, whatever has changed since', async () => {
    await cluster(3)
    a.subscribe('old')
    const oldMs = world.clock.now()
    assert.equal(a.exchange.isAppliedUpTo(oldMs), false, 'before it was announced')
    await world.advance(100)
    deafen(1)
    a.subscribe('new')
    const newMs = world.clock.now()
    await world.advance(100)
    assert.deepEqual([a.exchange.isAppliedUpTo(oldMs), a.exchange.isAppliedUpTo(newMs)], [true, false])
    await world.advance(2500) // a digest has repaired it
    assert.equal(a.exchange.isAppliedUpTo(newMs), true)
  })

  it('covers a shared subscription and a removal', async () => {
    await cluster(2)
    a.subscribe('gone')
    await world.advance(50)
    a.unsubscribe('gone')
    a.share('g', 'jobs/+', 2)
    const outcomes = barrier('all')
    while (outcomes.length === 0) await world.advance(1)
    assert.deepEqual(outcomes, [true])
    assert.deepEqual(nodes[1]?.seen('node-0'), ['$share/g/jobs/+ × 2'])
  })

  it('measures how long changes take to be applied everywhere', async () => {
    await cluster(3)
    a.subscribe('fast')
    await world.advance(50)
    deafen(1)
    a.subscribe('slow')
    await world.advance(3000)
    const { spreadCounts, spreadMaxMs } = a.exchange.stats
    assert.equal(
      spreadCounts.reduce((sum, count) => sum + count),
      2,
    )
    const within5Ms = spreadCounts.slice(0, SPREAD_CLASSES_MS.indexOf(5) + 1)
    assert.equal(
      within5Ms.reduce((sum, count) => sum + count),
      1,
    )
    assert.ok(spreadMaxMs > 500 && spreadMaxMs < 2500)
  })
})
