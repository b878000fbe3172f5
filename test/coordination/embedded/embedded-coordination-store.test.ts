import assert from 'node:assert/strict'
import { EmbeddedCoordinationStore } from '../../../coordination/embedded/embedded-coordination-store.ts'
import { SeededRandom } from '../../../sim/ports/seeded-random.ts'
import { VirtualClock } from '../../../sim/ports/virtual-clock.ts'
import { GrapevineError } from '../../../src/core/errors.ts'
import type { CoordinationOutcome } from '../../../src/core/ports/coordination-store.ts'
import { MemoryStore } from '../../../src/storage/memory-store.ts'
import { coordinationStoreContract } from '../../contract/coordination-store-contract.ts'
import { HeldStore } from '../support/held-store.ts'

coordinationStoreContract('EmbeddedCoordinationStore', async () => {
  const clock = new VirtualClock()
  const subject = await EmbeddedCoordinationStore.open({
    store: new MemoryStore({ clock }),
    clock,
    random: new SeededRandom(1),
  })
  return { subject, advance: ms => clock.advance(ms), close: () => subject.close() }
})

describe('EmbeddedCoordinationStore', () => {
  let clock: VirtualClock
  let disk: HeldStore
  let seed = 1

  beforeEach(() => {
    clock = new VirtualClock()
    disk = new HeldStore(clock)
  })

  const open = (): Promise<EmbeddedCoordinationStore> =>
    EmbeddedCoordinationStore.open({ store: disk, clock, random: new SeededRandom(seed++), timeoutMs: 3000 })
  const put = (
    store: EmbeddedCoordinationStore,
    key: string,
    leaseId?: string,
  ): Promise<CoordinationOutcome> => {
    const operation = { type: 'put' as const, key, value: new Uint8Array([1, 2, 3]) }
    return store.transact({
      compare: [],
      success: [leaseId === undefined ? operation : { ...operation, leaseId }],
      failure: [],
    })
  }
  const putNow = async (store: EmbeddedCoordinationStore, key: string, leaseId?: string): Promise<number> => {
    const outcome = put(store, key, leaseId)
    await clock.advance(1)
    const done = await outcome
    return done.outcome === 'done' ? done.result.revision : assert.fail(done.reason)
  }

  it('has its keys, values and revisions again after a restart', async () => {
    const before = await open()
    const created = await putNow(before, '/a/__proto__')
    const modified = await putNow(before, '/a/__proto__')
    await putNow(before, '/b')
    const deleting = before.transact({ compare: [], success: [{ type: 'delete', key: '/b' }], failure: [] })
    await clock.advance(1)
    const deleted = await deleting
    await before.close()

    const after = await open()
    const { entry, revision } = await after.get('/a/__proto__')
    assert.deepEqual(entry, {
      key: '/a/__proto__',
      value: new Uint8Array([1, 2, 3]),
      createRevision: created,
      modRevision: modified,
      leaseId: '0',
    })
    assert.equal((await after.get('/b')).entry, undefined)
    assert.ok(deleted.outcome === 'done' && revision > deleted.result.revision)
    assert.ok((await putNow(after, '/c')) > revision)
  })

  it('forgets leases and the keys bound to them over a restart, also when they replaced lasting keys', async () => {
    const before = await open()
    await putNow(before, '/replaced')
    const { leaseId } = await before.grantLease(10_000)
    await putNow(before, '/bound', leaseId)
    const last = await putNow(before, '/replaced', leaseId)
    await before.close()

    const after = await open()
    const { entries, revision } = await after.range('/')
    assert.deepEqual(entries, [])
    assert.ok(revision > last)
    assert.equal(await after.keepAlive(leaseId), 'expired')
  })

  describe('of volatile keys', () => {
    const putVolatile = (store: EmbeddedCoordinationStore, key: string): Promise<CoordinationOutcome> =>
      store.transact({
        compare: [],
        success: [{ type: 'put', key, value: new Uint8Array([1]), isVolatile: true }],
        failure: [],
      })
    const remove = (store: EmbeddedCoordinationStore, key: string): Promise<CoordinationOutcome> =>
      store.transact({ compare: [], success: [{ type: 'delete', key }], failure: [] })
    const revisionOf = async (call: Promise<CoordinationOutcome>): Promise<number> => {
      await clock.advance(1)
      const outcome = await call
      return outcome.outcome === 'done' ? outcome.result.revision : assert.fail(outcome.reason)
    }

    it('tells its disk nothing, however they come and go', async () => {
      const store = await open()
      await putNow(store, '/lasting')
      const { appended } = disk
      const revisions: number[] = []
      store.watch('/', { onReset: () => {}, onEvents: (_events, revision) => revisions.push(revision) })
      await clock.advance(1)
      disk.held = true
      const first = await revisionOf(putVolatile(store, '/a'))
      assert.equal((await store.get('/a')).entry?.modRevision, first)
      const second = await revisionOf(putVolatile(store, '/a'))
      const third = await revisionOf(remove(store, '/a'))
      assert.deepEqual(revisions, [first, second, third])
      assert.equal(disk.appended, appended)
    })

    it('forgets them over a restart, also when they replaced lasting keys', async () => {
      const before = await open()
      await putNow(before, '/replaced')
      await revisionOf(putVolatile(before, '/replaced'))
      await revisionOf(putVolatile(before, '/new'))
      await before.close()
      assert.deepEqual((await (await open()).range('/')).entries, [])
    })

    it('keeps what replaced them for good', async () => {
      const before = await open()
      await revisionOf(putVolatile(before, '/a'))
      const modified = await putNow(before, '/a')
      await before.close()
      assert.equal((await (await open()).get('/a')).entry?.modRevision, modified)
    })

    it('gives no revision twice, whatever was written before the process was killed', async () => {
      let last = 0
      for (const count of [1, 3, 1]) {
        const store = await open()
        assert.ok((await store.get('/a')).revision > last)
        for (let i = 0; i < count; i++) last = await revisionOf(putVolatile(store, `/${i}`))
      }
    })

    it('takes revisions in advance before it gives them, also when those it had are used up', async () => {
      const store = await open()
      disk.held = true
      const first = putVolatile(store, '/a')
      let isAnswered = false
      void first.then(() => (isAnswered = true))
      await clock.advance(100)
      assert.equal(isAnswered, false)
      disk.release()
      let last = await revisionOf(first)
      const { appended } = disk
      for (let i = 0; i < 100_001; i++) void putVolatile(store, '/a')
      last = await revisionOf(putVolatile(store, '/a'))
      assert.equal(disk.appended, appended + 1)
      await store.close()
      assert.ok((await (await open()).get('/a')).revision > last)
    })

    it('lets no answer overtake the commit of what it builds on', async () => {
      const store = await open()
      await putNow(store, '/first')
      disk.held = true
      const seen: string[] = []
      store.watch('/', {
        onReset: () => {},
        onEvents: events => seen.push(...events.map(({ type }) => type)),
      })
      const lasting = put(store, '/a')
      const building = putVolatile(store, '/b').then(() => seen.push('answered'))
      await clock.advance(100)
      assert.deepEqual(seen, [])
      disk.release()
      await clock.advance(1)
      await Promise.all([lasting, building])
      assert.deepEqual(seen, ['put', 'put', 'answered'])
    })
  })

  it('lets nothing be observed before it is committed', async () => {
    const store = await open()
    const seen: string[] = []
    store.watch('/', {
      onReset: () => seen.push('reset'),
      onEvents: () => seen.push('events'),
    })
    await clock.advance(1)
    disk.held = true
    void put(store, '/a').then(() => seen.push('written'))
    void store.get('/a').then(() => seen.push('read'))
    await clock.advance(100)
    assert.deepEqual(seen, ['reset'])
    disk.release()
    await clock.advance(1)
    assert.deepEqual(seen.slice(1).sort(), ['events', 'read', 'written'])
  })

  it('answers unknown for a write whose commit is late, and rejects a late read', async () => {
    const store = await open()
    disk.held = true
    const write = put(store, '/a')
    const read = store.get('/a')
    read.catch(() => {})
    await clock.advance(3000)
    assert.equal((await write).outcome, 'unknown')
    await assert.rejects(read, hasCode('COORDINATION_UNAVAILABLE'))
  })

  it('carries nothing out any more once its disk has failed', async () => {
    const store = await open()
    disk.held = true
    const under = put(store, '/a')
    disk.fail()
    assert.equal((await under).outcome, 'unknown')
    assert.equal((await put(store, '/b')).outcome, 'unavailable')
    await assert.rejects(store.get('/a'), hasCode('COORDINATION_UNAVAILABLE'))
  })

  it('refuses a damaged record, naming its key', async () => {
    const store = await open()
    await putNow(store, '/a')
    for (const key of disk.content.keys()) disk.content.set(key, new Uint8Array([7]))
    await assert.rejects(
      open(),
      (error: unknown) => hasCode('STORE_CORRUPT')(error) && /coordination\//.test(String(error)),
    )
  })

  it('refuses entries without a revision', async () => {
    const store = await open()
    await putNow(store, '/a')
    disk.content.delete('coordination/revision')
    await assert.rejects(open(), hasCode('STORE_CORRUPT'))
  })
})

function hasCode(code: string): (error: unknown) => boolean {
  return error => error instanceof GrapevineError && error.code === code
}
