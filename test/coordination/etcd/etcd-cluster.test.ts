import assert from 'node:assert/strict'
import { EtcdCoordinationStore } from '../../../coordination/etcd/etcd-coordination-store.ts'
import { EtcdEndpoint } from '../../../coordination/etcd/etcd-endpoints.ts'
import type { CoordinationEvent } from '../../../src/core/ports/coordination-store.ts'
import { SystemClock } from '../../../src/system/system-clock.ts'
import { SystemRandom } from '../../../src/system/system-random.ts'
import { coordinationStoreContract } from '../../contract/coordination-store-contract.ts'
import { until } from '../../contract/harness.ts'
import {
  startPrivateEtcdCluster,
  type PrivateEtcd,
  type PrivateEtcdCluster,
} from '../../support/private-etcd.ts'
import { RecordingLogger } from '../support/recording-logger.ts'

const time = { advance: (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms)) }

describe('EtcdCoordinationStore on an etcd of three members', function () {
  this.timeout(90_000)
  let cluster: PrivateEtcdCluster
  let store: EtcdCoordinationStore

  before(async () => {
    cluster = await startPrivateEtcdCluster(3)
  })
  after(() => cluster.close())

  const connect = (urls: readonly string[], timeoutMs = 3000): Promise<EtcdCoordinationStore> =>
    EtcdCoordinationStore.connect({
      endpoints: urls,
      clock: new SystemClock(),
      random: new SystemRandom(),
      logger: new RecordingLogger(),
      timeoutMs,
    })
  const claim = (key: string) =>
    store.transact({
      compare: [{ key, target: 'createRevision', is: 'equal', revision: 0 }],
      success: [{ type: 'put', key, value: Buffer.from(key) }],
      failure: [{ type: 'get', key }],
    })

  async function leaderAndOther(): Promise<{ leader: PrivateEtcd; other: PrivateEtcd }> {
    for (let attempt = 0; attempt < 100; attempt++) {
      for (const member of cluster.members) {
        const endpoint = new EtcdEndpoint(member.url, {})
        const { header, leader } = await endpoint.client.maintenance.status()
        endpoint.client.close()
        const other = cluster.members.find(candidate => candidate !== member)
        if (leader === header.member_id && other !== undefined) return { leader: member, other }
      }
      await time.advance(50)
    }
    throw new Error('nobody leads')
  }

  coordinationStoreContract('EtcdCoordinationStore with three endpoints', async () => {
    const subject = await connect(cluster.urls)
    const { entries } = await subject.range('/contract/')
    for (let i = 0; i < entries.length; i += 100) {
      const success = entries.slice(i, i + 100).map(({ key }) => ({ type: 'delete' as const, key }))
      await subject.transact({ compare: [], success, failure: [] })
    }
    return { subject, advance: time.advance, close: () => subject.close() }
  })

  describe('when members die', () => {
    afterEach(() => store.close())

    it('loses no claim and no event when the leader is killed under load, and when it comes back', async () => {
      const { leader, other } = await leaderAndOther()
      // Through the one that dies, so that everything has to move.
      store = await connect([leader.url, other.url])
      const known = new Map<string, number>()
      const events: CoordinationEvent[] = []
      const note = (key: string, revision: number): void => {
        assert.ok((known.get(key) ?? 0) <= revision)
        known.set(key, revision)
      }
      store.watch('/load/', {
        onReset: entries => {
          // What was known is still there: nothing was deleted.
          const listed = new Set(entries.map(entry => entry.key))
          for (const key of known.keys()) assert.ok(listed.has(key), key)
          for (const entry of entries) note(entry.key, entry.modRevision)
        },
        onEvents: told => {
          events.push(...told)
          for (const event of told) if (event.type === 'put') note(event.entry.key, event.entry.modRevision)
        },
      })
      const outcomes = new Map<string, string>()
      let stopping = false
      let next = 0
      const load = Array.from({ length: 4 }, async () => {
        while (!stopping) {
          const key = `/load/${next++}`
          const outcome = await claim(key)
          outcomes.set(key, outcome.outcome)
          await time.advance(5)
        }
      })
      const done = (): number => [...outcomes.values()].filter(outcome => outcome === 'done').length
      await until(time, 'claims are done', () => done() >= 50, 10_000)
      await leader.kill()
      const atKill = done()
      await until(time, 'claims go on without it', () => done() >= atKill + 50, 20_000)
      await leader.restart()
      const atRestart = done()
      await until(time, 'claims go on with it', () => done() >= atRestart + 50, 20_000)
      stopping = true
      await Promise.all(load)

      const { entries } = await store.range('/load/')
      const present = new Set(entries.map(entry => entry.key))
      for (const [key, outcome] of outcomes) {
        if (outcome === 'done') assert.ok(present.has(key), `${key} was done`)
        if (outcome === 'unavailable') assert.ok(!present.has(key), `${key} was certainly not carried out`)
      }
      await until(time, 'the watch knows all', () => known.size === present.size, 10_000)
      for (const entry of entries) assert.equal(known.get(entry.key), entry.modRevision)
    })

    for (const fault of ['killed', 'frozen'] as const) {
      it(`keeps a lease alive when its endpoint is ${fault}, well within the lease`, async () => {
        const { leader, other } = await leaderAndOther()
        const third = cluster.members.find(member => member !== leader && member !== other) as PrivateEtcd
        store = await connect([other.url, third.url], 3000)
        const { leaseId, ttlMs } = await store.grantLease(10_000)
        assert.equal(await store.keepAlive(leaseId), 'alive')
        if (fault === 'killed') await other.kill()
        else await other.pause()
        const startMs = performance.now()
        assert.equal(await store.keepAlive(leaseId), 'alive')
        assert.ok(performance.now() - startMs < ttlMs / 2)
        if (fault === 'killed') await other.restart()
        else other.resume()
      })
    }

    it('answers that the majority is missing, within its deadline, and works on when it is back', async () => {
      const [first, second, third] = cluster.members as [PrivateEtcd, PrivateEtcd, PrivateEtcd]
      store = await connect([first.url], 2000)
      assert.equal((await claim('/majority/before')).outcome, 'done')
      await Promise.all([second.kill(), third.kill()])
      const startMs = performance.now()
      await assert.rejects(store.get('/majority/before'))
      assert.notEqual((await claim('/majority/without')).outcome, 'done')
      assert.ok(performance.now() - startMs < 6000)
      await Promise.all([second.restart(), third.restart()])
      const ends = performance.now() + 20_000
      while ((await claim('/majority/after')).outcome !== 'done') assert.ok(performance.now() < ends)
    })
  })
})
