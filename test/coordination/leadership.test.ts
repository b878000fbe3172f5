import assert from 'node:assert/strict'
import { LEASE_TTL_MS, SimLeaders, type SimLeader } from './support/sim-leaders.ts'

type Three = [SimLeader, SimLeader, SimLeader]

describe('Leadership', () => {
  let cluster: SimLeaders

  beforeEach(() => {
    cluster = new SimLeaders()
  })

  it('names the term by the revision of the leader key, which everybody sees, and since when', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
    const revision = cluster.service.state.get(cluster.keys.leader)?.modRevision
    for (const node of [a, b]) {
      assert.equal(node.leadership.leader, 'a')
      assert.equal(node.leadership.current?.term, revision)
      assert.ok((node.leadership.current?.sinceMs ?? Infinity) <= cluster.clock.wallNow())
    }
    assert.equal(a.leadership.isLeading, true)
    assert.equal(b.leadership.isLeading, false)
  })

  it('remembers past terms with their durations, and counts', async () => {
    const [a, b, c] = (await cluster.start('a', 'b', 'c')) as Three
    const first = a.leadership.current
    await cluster.clock.advance(60_000)
    await a.killAtOnce()
    await cluster.clock.advance(3000)
    const [past] = c.leadership.previous
    assert.equal(past?.leader, 'a')
    assert.equal(past.term, first?.term)
    assert.ok(past.untilMs - past.sinceMs >= 60_000)
    assert.ok((c.leadership.current?.term ?? 0) > past.term)
    assert.equal(c.leadership.stats.terms, 2)
    assert.equal(b.leadership.stats.termsWon + c.leadership.stats.termsWon, 1)
  })

  it('elects another when the leader’s lease has run out', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
    a.kill()
    await cluster.clock.advance(LEASE_TTL_MS + 3000)
    assert.equal(b.leadership.isLeading, true)
  })

  it('hands over within one turn of the watch when it resigns, and stands no more', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
    a.leadership.resign()
    assert.equal(a.leadership.isLeading, false, 'duties end at once')
    // One way there, the watch, one way there, the watch.
    await cluster.clock.advance(5)
    assert.equal(b.leadership.isLeading, true)
    await b.killAtOnce()
    await cluster.clock.advance(60_000)
    assert.equal(a.leadership.leader, undefined)
    a.leadership.stand()
    await cluster.clock.advance(5)
    assert.equal(a.leadership.isLeading, true)
  })

  it('resigns again until the store has heard of it', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
    a.store.setContact('cut')
    a.leadership.resign()
    await cluster.clock.advance(1500)
    assert.equal(b.leadership.leader, 'a')
    a.store.setContact('open')
    await cluster.clock.advance(3000)
    assert.equal(b.leadership.isLeading, true)
  })

  it('gives up a term that a campaign won after it had resigned', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
    await a.killAtOnce()
    await cluster.clock.advance(0.6)
    b.leadership.resign()
    await cluster.clock.advance(10_000)
    assert.equal(b.leadership.isLeading, false)
    assert.equal(cluster.service.state.get(cluster.keys.leader), undefined)
  })

  it('tries again when a campaign was not answered', async () => {
    const [a, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
    b.store.answerDelayMs = 0
    await a.killAtOnce()
    b.store.setContact('cut')
    await cluster.clock.advance(6000)
    b.store.setContact('open')
    await cluster.clock.advance(6000)
    assert.equal(b.leadership.isLeading, true)
  })

  it('does not take a key of the node’s earlier life for its own', async () => {
    const [a] = (await cluster.start('a')) as [SimLeader]
    a.kill()
    const later = await cluster.create('a').join()
    assert.equal(later.leadership.leader, 'a')
    assert.equal(later.leadership.isLeading, false)
    await cluster.clock.advance(LEASE_TTL_MS + 3000)
    assert.equal(later.leadership.isLeading, true)
  })
})
