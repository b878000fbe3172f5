import assert from 'node:assert/strict'
import { COMPACTION_INTERVAL_MS, KEPT_HISTORY_MS } from '../../coordination/leader-compaction.ts'
import { LeaderTerm } from '../../coordination/leader-term.ts'
import { LEASE_TTL_MS, SimLeaders, type SimLeader } from './support/sim-leaders.ts'

/** Lease, notice, and one pass over the buckets of a small store. */
const NOTICED_MS = LEASE_TTL_MS + 3000 + 3000 + 15_000
const MINUTE_MS = 60_000
const EXPIRES_NEVER = 0xffff_ffff

type Three = [SimLeader, SimLeader, SimLeader]

describe('LeaderDuties', () => {
  let cluster: SimLeaders

  beforeEach(() => {
    cluster = new SimLeaders()
  })

  describe('wills of a dead node', () => {
    it('publishes a will once after its owner’s death, with one survivor', async () => {
      const [, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      const id = await cluster.own(b, 'x', { delay: 0 })
      b.kill()
      await cluster.clock.advance(NOTICED_MS)
      assert.deepEqual(
        cluster.firings.map(({ by, topic, id: fired }) => [by, topic, fired]),
        [['a', 'gone/x', id]],
      )
      await cluster.clock.advance(13 * MINUTE_MS)
      assert.equal(cluster.firings.length, 1)
      assert.deepEqual(cluster.keysWith('/wills/'), [])
      assert.deepEqual(cluster.keysWith('/firing/'), [])
    })

    it('publishes it once with three survivors, also when the owner led', async () => {
      const [a] = (await cluster.start('a', 'b', 'c', 'd')) as Three
      const id = await cluster.own(a, 'x', { delay: 0 })
      assert.equal(a.leadership.isLeading, true)
      a.kill()
      await cluster.clock.advance(NOTICED_MS)
      assert.deepEqual(
        cluster.firings.map(firing => firing.id),
        [id],
      )
      await cluster.clock.advance(13 * MINUTE_MS)
      assert.equal(cluster.firings.length, 1)
    })

    it('waits for the will delay, counted from the death', async () => {
      const [, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      await cluster.own(b, 'x', { expiry: 3600, delay: 300 })
      await b.killAtOnce()
      const diedAtMs = cluster.clock.wallNow()
      await cluster.clock.advance(300_000 - 1000)
      assert.equal(cluster.firings.length, 0)
      await cluster.clock.advance(30_000)
      assert.equal(cluster.firings.length, 1)
      assert.ok(cluster.firings.every(({ atMs }) => atMs >= diedAtMs + 300_000))
    })

    it('waits no longer than the session lasts [MQTT-3.1.3-9]', async () => {
      const [, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      await cluster.own(b, 'x', { expiry: 120, delay: 86_400 })
      await b.killAtOnce()
      await cluster.clock.advance(119_000)
      assert.deepEqual(cluster.firings, [])
      await cluster.clock.advance(30_000)
      assert.equal(cluster.firings.length, 1)
      assert.deepEqual(cluster.keysWith('/sessions/'), [])
    })

    it('counts the delay from the disconnection when the client had gone before', async () => {
      const [, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      const dueAtMs = cluster.clock.wallNow() + 100_000
      await cluster.own(b, 'x', { expiry: 3600, delay: 600, dueAtMs })
      await b.killAtOnce()
      await cluster.clock.advance(99_000)
      assert.deepEqual(cluster.firings, [])
      await cluster.clock.advance(20_000)
      assert.equal(cluster.firings.length, 1)
    })

    it('publishes none when the client comes to another node within the delay', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      await cluster.own(b, 'x', { expiry: 3600, delay: 60 })
      await b.killAtOnce()
      await cluster.clock.advance(40_000)
      await cluster.take(a, b, 'x')
      await cluster.clock.advance(13 * MINUTE_MS)
      assert.deepEqual(cluster.firings, [])
    })

    it('publishes none of a client that went in peace before', async () => {
      const [, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      await cluster.own(b, 'x', { expiry: 3600 })
      await b.killAtOnce()
      await cluster.clock.advance(13 * MINUTE_MS)
      assert.deepEqual(cluster.firings, [])
    })

    it('publishes none while the life may still be serving under a promise', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      a.mayTake = false
      await cluster.own(b, 'x', { expiry: 0, delay: 0 })
      await b.killAtOnce()
      await cluster.clock.advance(5 * MINUTE_MS)
      assert.deepEqual(cluster.firings, [])
      assert.equal(cluster.keysWith('/sessions/').length, 1)
      a.mayTake = true
      await cluster.clock.advance(NOTICED_MS)
      assert.equal(cluster.firings.length, 1)
    })

    it('publishes none of a life that comes back at once', async () => {
      const [, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      await cluster.own(b, 'x', { expiry: 0, delay: 0 })
      const { incarnation } = b
      await b.killAtOnce()
      await cluster.clock.advance(1500)
      assert.equal(cluster.keysWith('/dead/').length, 1)
      await cluster.create('b').join(incarnation)
      await cluster.clock.advance(5 * MINUTE_MS)
      assert.deepEqual(cluster.firings, [])
      assert.deepEqual(cluster.keysWith('/dead/'), [])
      assert.equal(cluster.keysWith('/sessions/').length, 1)
    })

    it('repeats under the same id what a leader had taken up when it died', async () => {
      const [a, b, c] = (await cluster.start('a', 'b', 'c')) as Three
      const id = await cluster.own(c, 'x', { expiry: 0, delay: 0 })
      a.isHolding = true
      await c.killAtOnce()
      await cluster.clock.advance(20_000)
      assert.equal(cluster.firings.length, 1)
      assert.deepEqual(cluster.keysWith('/wills/'), [])
      assert.equal(cluster.keysWith('/firing/').length, 1)
      await a.killAtOnce()
      await cluster.clock.advance(NOTICED_MS)
      assert.equal(b.leadership.isLeading, true)
      assert.deepEqual(
        cluster.firings.map(({ by, id: fired }) => [by, fired]),
        [
          ['a', id],
          ['b', id],
        ],
      )
      assert.deepEqual(cluster.keysWith('/firing/'), [])
    })

    it('finds what it took up itself when the store’s answer was lost', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      const id = await cluster.own(b, 'x', { expiry: 3600, delay: 60 })
      await b.killAtOnce()
      await cluster.clock.advance(59_000)
      a.store.answerDelayMs = 0
      a.store.setContact('deaf')
      await cluster.clock.advance(4000)
      a.store.setContact('open')
      await cluster.clock.advance(40_000)
      assert.deepEqual(new Set(cluster.firings.map(firing => firing.id)), new Set([id]))
      assert.deepEqual(cluster.keysWith('/firing/'), [])
    })

    it('publishes a thousand of one node, each once', async () => {
      const [, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      for (let i = 0; i < 1000; i++) await cluster.own(b, `x${i}`, { delay: 0 })
      b.kill()
      await cluster.clock.advance(NOTICED_MS + 100_000)
      assert.equal(cluster.firings.length, 1000)
      assert.equal(new Set(cluster.firings.map(({ id }) => id)).size, 1000)
      assert.deepEqual(cluster.keysWith('/sessions/'), [])
    }).timeout(20_000)

    it('publishes them before it goes through all sessions', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      for (const clientId of ['v', 'w', 'x', 'y', 'z']) await cluster.own(b, clientId, { delay: 0 })
      await cluster.clock.advance(13 * MINUTE_MS)
      const before = a.duties.stats.bucketsRead
      await b.killAtOnce()
      while (cluster.firings.length < 5) await cluster.clock.advance(1)
      assert.ok(a.duties.stats.bucketsRead - before <= 5)
    })

    it('says so when a will was too large to be kept', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      await cluster.own(b, 'x', { delay: 0, payloadBytes: 5000 })
      b.kill()
      await cluster.clock.advance(NOTICED_MS)
      assert.deepEqual(cluster.firings, [])
      assert.equal(a.duties.stats.leftOut, 1)
      assert.deepEqual(cluster.keysWith('/firing/'), [])
    })
  })

  describe('sessions of a dead node', () => {
    it('ends those without expiry at once, others when their time has come, some never', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      await cluster.own(b, 'clean')
      await cluster.own(b, 'quarter', { expiry: 900 })
      await cluster.own(b, 'ever', { expiry: EXPIRES_NEVER })
      await cluster.own(a, 'alive')
      await b.killAtOnce()
      await cluster.clock.advance(NOTICED_MS)
      assert.deepEqual(clientsOf(cluster), ['alive', 'ever', 'quarter'])
      await cluster.clock.advance(900_000 - NOTICED_MS - 1000)
      assert.deepEqual(clientsOf(cluster), ['alive', 'ever', 'quarter'])
      await cluster.clock.advance(15_000)
      assert.deepEqual(clientsOf(cluster), ['alive', 'ever'])
      assert.equal(a.duties.stats.sessionsEnded, 2)
      await cluster.clock.advance(10 * MINUTE_MS)
      assert.deepEqual(clientsOf(cluster), ['alive', 'ever'])
    }).timeout(20_000)

    it('leaves those that outlive a connection to their node once it is back', async () => {
      const [, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      await cluster.own(b, 'quarter', { expiry: 60 })
      await cluster.own(b, 'clean')
      await b.killAtOnce()
      await cluster.create('b').join()
      await cluster.clock.advance(10 * MINUTE_MS)
      assert.deepEqual(clientsOf(cluster), ['quarter'])
    })

    it('notes lives it did not see die, found in their records, and counts from then', async () => {
      const gone = { nodeId: 'z', incarnation: 999 }
      await cluster.own(gone, 'quarter', { expiry: 600 })
      await cluster.start('a')
      await cluster.clock.advance(MINUTE_MS)
      assert.equal(cluster.keysWith('/dead/z/999').length, 1)
      await cluster.clock.advance(8 * MINUTE_MS)
      assert.deepEqual(clientsOf(cluster), ['quarter'])
      await cluster.clock.advance(2 * MINUTE_MS)
      assert.deepEqual(clientsOf(cluster), [])
    })

    it('goes on under the next leader', async () => {
      const [a, b, c] = (await cluster.start('a', 'b', 'c')) as Three
      await cluster.own(c, 'minutes', { expiry: 300 })
      await c.killAtOnce()
      await cluster.clock.advance(MINUTE_MS)
      await a.killAtOnce()
      await cluster.clock.advance(4 * MINUTE_MS - 5000)
      assert.deepEqual(clientsOf(cluster), ['minutes'])
      assert.equal(b.leadership.isLeading, true)
      await cluster.clock.advance(20_000)
      assert.deepEqual(clientsOf(cluster), [])
    })
  })

  describe('fencing', () => {
    it('refuses what a deposed leader still has on its way', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      const number = a.leadership.current?.term ?? 0
      const { store, clock, keys } = {
        store: cluster.service.connect(),
        clock: cluster.clock,
        keys: cluster.keys,
      }
      const late = new LeaderTerm({ store, clock, keys }, number)
      a.leadership.resign()
      await cluster.clock.advance(50)
      assert.equal(b.leadership.isLeading, true)
      const write = late.write([], [{ type: 'put', key: keys.dead('z', 1), value: new Uint8Array(0) }])
      await assert.rejects(cluster.settled(write), /term is over/)
      assert.deepEqual(cluster.keysWith('/dead/'), [])
      assert.equal(late.isOver, true)
    })

    it('writes nothing more once it is deposed', async () => {
      const [a] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      await cluster.clock.advance(MINUTE_MS)
      a.leadership.resign()
      await cluster.clock.advance(2000)
      const before = a.store.transactions
      await cluster.clock.advance(10 * MINUTE_MS)
      assert.equal(a.store.transactions, before)
      assert.equal(a.duties.census, undefined)
    })
  })

  describe('housekeeping', () => {
    it('deletes lost/ and dead/ once a newer life is there, and not before', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      const { incarnation } = b
      await cluster.own(b, 'x', { expiry: 3600 })
      await b.killAtOnce()
      await cluster.clock.advance(MINUTE_MS)
      await cluster.take(a, b, 'x')
      const lost = cluster.keys.lost('b', incarnation, 'x')
      await cluster.write([{ type: 'put', key: lost, value: new Uint8Array(0) }])
      await cluster.clock.advance(13 * MINUTE_MS)
      assert.deepEqual(cluster.keysWith('/lost/'), [lost])
      assert.equal(cluster.keysWith('/dead/').length, 1)
      await cluster.create('b').join()
      await cluster.clock.advance(13 * MINUTE_MS)
      assert.deepEqual(cluster.keysWith('/lost/'), [])
      assert.deepEqual(cluster.keysWith('/dead/'), [])
    }).timeout(20_000)

    it('deletes relies/ with the note, and neither while the life may still act by promises', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      const relies = cluster.keys.relies('b', b.incarnation)
      await cluster.write([{ type: 'put', key: relies, value: new TextEncoder().encode('["a/1"]') }])
      await cluster.own(b, 'x')
      await b.killAtOnce()
      await cluster.clock.advance(13 * MINUTE_MS)
      assert.deepEqual(cluster.keysWith('/sessions/'), [])
      assert.deepEqual(cluster.keysWith('/relies/'), [relies])
      a.mayTake = false
      await cluster.create('b').join()
      await cluster.clock.advance(13 * MINUTE_MS)
      assert.deepEqual(cluster.keysWith('/relies/'), [relies])
      assert.equal(cluster.keysWith('/dead/').length, 1)
      a.mayTake = true
      await cluster.clock.advance(13 * MINUTE_MS)
      assert.deepEqual(cluster.keysWith('/relies/'), [])
      assert.deepEqual(cluster.keysWith('/dead/'), [])
    }).timeout(20_000)

    it('counts the sessions of each node', async () => {
      const [a, b] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      for (const clientId of ['p', 'q', 'r']) await cluster.own(b, clientId, { expiry: 60 })
      await cluster.own(a, 's')
      await cluster.clock.advance(12 * MINUTE_MS)
      assert.deepEqual([...(a.duties.census?.sessionsOfNode ?? [])].sort(), [
        ['a', 1],
        ['b', 3],
      ])
      assert.notEqual(a.duties.census?.store, undefined)
      assert.equal(b.duties.census, undefined)
    })

    it('compacts to what is ten minutes old, and watchers notice nothing', async () => {
      const [a] = (await cluster.start('a', 'b')) as [SimLeader, SimLeader]
      const seen: string[] = []
      cluster.service.connect().watch('/grapevine/test/sessions/', {
        onReset: () => seen.push('reset'),
        onEvents: events => seen.push(...events.map(({ type }) => type)),
      })
      await cluster.clock.advance(KEPT_HISTORY_MS + 2 * COMPACTION_INTERVAL_MS)
      assert.ok(a.duties.stats.compactions >= 1)
      await cluster.own(a, 'x')
      assert.deepEqual(seen, ['reset', 'put'])
    })
  })
})

function clientsOf(cluster: SimLeaders): string[] {
  return cluster
    .keysWith('/sessions/')
    .map(key => key.split('/').at(-1) ?? '')
    .sort()
}
