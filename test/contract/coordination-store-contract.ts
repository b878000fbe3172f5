import assert from 'node:assert/strict'
import { GrapevineError } from '../../src/core/errors.ts'
import { limits } from '../../src/core/limits.ts'
import type {
  CoordinationCompare,
  CoordinationEntry,
  CoordinationEvent,
  CoordinationOperation,
  CoordinationStore,
  CoordinationTransaction,
  CoordinationTransactionResult,
} from '../../src/core/ports/coordination-store.ts'
import { until, type Harness } from './harness.ts'

const ROOT = '/contract/'

/** What every `CoordinationStore` owes its callers. `makeHarness` gives a store with nothing under `/contract/`. */
export function coordinationStoreContract(
  name: string,
  makeHarness: () => Promise<Harness<CoordinationStore>>,
): void {
  describe(`${name} keeps the CoordinationStore contract`, function () {
    this.timeout(30_000)
    let harness: Harness<CoordinationStore>
    let store: CoordinationStore

    beforeEach(async () => {
      harness = await makeHarness()
      store = harness.subject
    })
    afterEach(() => harness.close())

    /** Awaits a call, moving simulated time until it settles. */
    async function settled<T>(call: Promise<T>): Promise<T> {
      let isSettled = false
      call.then(
        () => (isSettled = true),
        () => (isSettled = true),
      )
      await until(harness, 'a call settles', () => isSettled)
      return call
    }

    async function commit(
      transaction: Partial<CoordinationTransaction>,
    ): Promise<CoordinationTransactionResult> {
      const outcome = await settled(store.transact({ compare: [], success: [], failure: [], ...transaction }))
      assert.equal(outcome.outcome, 'done')
      return outcome.outcome === 'done' ? outcome.result : assert.fail()
    }

    const putAll = (...operations: CoordinationOperation[]): Promise<CoordinationTransactionResult> =>
      commit({ success: operations })
    const get = async (key: string): Promise<CoordinationEntry | undefined> =>
      (await settled(store.get(ROOT + key))).entry
    const keysOf = async (prefix: string): Promise<string[]> =>
      (await settled(store.range(ROOT + prefix))).entries.map(entry => entry.key.slice(ROOT.length))

    async function watching(prefix: string): Promise<Recorder> {
      const recorder = new Recorder()
      recorder.watch = store.watch(ROOT + prefix, recorder)
      await until(harness, 'the first reset', () => recorder.resets.length > 0)
      return recorder
    }

    describe('revisions', () => {
      it('gives an absent key no entry', async () => {
        assert.equal(await get('absent'), undefined)
      })

      it('keeps the create revision and raises the mod revision when a key is put again', async () => {
        const first = await putAll(put('a', '1'))
        const second = await putAll(put('a', '2'))
        assert.ok(second.revision > first.revision)
        const entry = await get('a')
        assert.equal(text(entry), '2')
        assert.equal(entry?.createRevision, first.revision)
        assert.equal(entry.modRevision, second.revision)
        assert.equal(entry.leaseId, '0')
      })

      it('begins a new create revision after a delete', async () => {
        await putAll(put('a', '1'))
        await putAll(del('a'))
        assert.equal(await get('a'), undefined)
        const again = await putAll(put('a', '2'))
        assert.equal((await get('a'))?.createRevision, again.revision)
      })

      it('gives all keys of one transaction the same revision', async () => {
        const { revision } = await putAll(put('a', '1'), put('b', '2'))
        assert.equal((await get('a'))?.modRevision, revision)
        assert.equal((await get('b'))?.modRevision, revision)
      })

      it('does not raise the revision for a transaction that writes nothing', async () => {
        const { revision } = await putAll(put('a', '1'))
        const reading = await commit({ success: [read('a'), del('absent')] })
        assert.equal(reading.revision, revision)
        assert.deepEqual(reading.results[1], { type: 'delete', deleted: 0 })
      })

      it('treats a volatile key as any other while its processes live', async () => {
        const recorder = await watching('v')
        const operation = { type: 'put', key: `${ROOT}v`, value: Buffer.from('1'), isVolatile: true } as const
        const created = await putAll(operation)
        assert.deepEqual(await keysOf('v'), ['v'])
        assert.equal((await get('v'))?.modRevision, created.revision)
        const compare = [modified('v', created.revision)]
        assert.equal((await commit({ compare, success: [put('v', '2')] })).succeeded, true)
        assert.deepEqual((await putAll(del('v'))).results, [{ type: 'delete', deleted: 1 }])
        await until(harness, 'three events', () => recorder.events.length === 3)
      })

      it('counts what a delete deleted', async () => {
        await putAll(put('a', '1'))
        assert.deepEqual((await putAll(del('a'))).results, [{ type: 'delete', deleted: 1 }])
      })
    })

    describe('transactions', () => {
      it('lets exactly one of many concurrent creations of a key win', async () => {
        const outcomes = await settled(
          Promise.all(
            Array.from({ length: 20 }, (_, i) =>
              store.transact({
                compare: [absent('contested')],
                success: [put('contested', String(i))],
                failure: [read('contested')],
              }),
            ),
          ),
        )
        const results = outcomes.map(outcome => (outcome.outcome === 'done' ? outcome.result : assert.fail()))
        const winners = results.filter(result => result.succeeded)
        assert.equal(winners.length, 1)
        const entry = await get('contested')
        assert.equal(entry?.modRevision, winners[0]?.revision)
        for (const loser of results.filter(result => !result.succeeded)) {
          const [found] = loser.results
          assert.equal(found?.type === 'get' && text(found.entry), text(entry))
        }
      })

      it('swaps only when the mod revision is the one compared', async () => {
        const { revision } = await putAll(put('a', '1'))
        const swap = { compare: [modified('a', revision)], success: [put('a', '2')], failure: [read('a')] }
        assert.equal((await commit(swap)).succeeded, true)
        assert.equal((await commit(swap)).succeeded, false)
        assert.equal(text(await get('a')), '2')
      })

      it('compares create revisions, which a rewrite keeps', async () => {
        const { revision } = await putAll(put('a', '1'))
        const rewritten = await putAll(put('a', '2'))
        const isCreatedAt = async (at: number): Promise<boolean> =>
          (
            await commit({
              compare: [{ key: `${ROOT}a`, target: 'createRevision', is: 'equal', revision: at }],
            })
          ).succeeded
        assert.equal(await isCreatedAt(revision), true)
        assert.equal(await isCreatedAt(rewritten.revision), false)
      })

      it('compares equal, notEqual, greater and less', async () => {
        const { revision } = await putAll(put('a', '1'))
        const holds = async (is: CoordinationCompare['is'], other: number): Promise<boolean> =>
          (await commit({ compare: [{ key: `${ROOT}a`, target: 'modRevision', is, revision: other }] }))
            .succeeded
        assert.deepEqual([await holds('equal', revision), await holds('equal', revision + 1)], [true, false])
        assert.deepEqual(
          [await holds('notEqual', revision), await holds('notEqual', revision + 1)],
          [false, true],
        )
        assert.deepEqual(
          [await holds('greater', revision), await holds('greater', revision - 1)],
          [false, true],
        )
        assert.deepEqual([await holds('less', revision), await holds('less', revision + 1)], [false, true])
      })

      it('takes the failure branch when one of several comparisons does not hold', async () => {
        await putAll(put('a', '1'))
        const result = await commit({
          compare: [absent('b'), absent('a')],
          success: [put('b', 'success')],
          failure: [put('b', 'failure')],
        })
        assert.equal(result.succeeded, false)
        assert.equal(text(await get('b')), 'failure')
      })

      it('carries nested transactions out, each by its own comparisons', async () => {
        await putAll(put('taken', '1'))
        const claim = (key: string): CoordinationOperation => ({
          type: 'transaction',
          transaction: { compare: [absent(key)], success: [put(key, 'mine')], failure: [read(key)] },
        })
        const result = await commit({ success: [claim('free'), claim('taken'), put('beside', '1')] })
        const [free, taken] = result.results
        assert.ok(free?.type === 'transaction' && free.result.succeeded)
        assert.equal(free.result.revision, result.revision)
        assert.ok(taken?.type === 'transaction' && !taken.result.succeeded)
        const [found] = taken.result.results
        assert.equal(found?.type === 'get' && text(found.entry), '1')
        assert.equal((await get('free'))?.modRevision, (await get('beside'))?.modRevision)
      })

      it('evaluates nested comparisons before anything of the transaction is written', async () => {
        const result = await commit({
          success: [
            put('guard', '1'),
            {
              type: 'transaction',
              transaction: { compare: [absent('guard')], success: [put('seen', 'absent')], failure: [] },
            },
          ],
        })
        assert.equal(result.succeeded, true)
        assert.equal(text(await get('seen')), 'absent')
      })

      it('shows a get what the transaction wrote before it', async () => {
        const { results } = await commit({ success: [put('a', 'new'), read('a')] })
        assert.equal(results[1]?.type === 'get' && text(results[1].entry), 'new')
      })

      it('refuses one key written twice, without carrying anything out', async () => {
        const twice: CoordinationOperation[][] = [
          [put('a', '1'), put('a', '2')],
          [put('a', '1'), del('a')],
          [
            put('a', '1'),
            { type: 'transaction', transaction: { compare: [], success: [put('a', '2')], failure: [] } },
          ],
        ]
        for (const success of twice) {
          const outcome = await settled(store.transact({ compare: [], success, failure: [] }))
          assert.ok(outcome.outcome === 'unavailable', outcome.outcome)
          assert.match(outcome.reason, /duplicate key/)
        }
        assert.equal(await get('a'), undefined)
      })

      it('allows one key in both branches, which exclude one another', async () => {
        const either = { compare: [absent('x')], success: [put('a', 'then')], failure: [put('a', 'else')] }
        await commit({ ...either })
        assert.equal(text(await get('a')), 'then')
        await putAll(put('x', '1'))
        await putAll({ type: 'transaction', transaction: either })
        assert.equal(text(await get('a')), 'else')
      })

      it(`takes ${limits.coordinationTransactionOpsMax} operations, nested ones included, and refuses more`, async () => {
        const nestedClaims = (count: number): CoordinationOperation[] =>
          Array.from({ length: count }, (_, i) => ({
            type: 'transaction',
            transaction: {
              compare: [absent(`n${i}`)],
              success: [put(`n${i}`, '1')],
              failure: [read(`n${i}`)],
            },
          }))
        const tooMany = await settled(
          store.transact({
            compare: [],
            success: nestedClaims(limits.coordinationTransactionOpsMax),
            failure: [],
          }),
        )
        assert.equal(tooMany.outcome, 'unavailable')
        assert.deepEqual(await keysOf('n'), [])
        await putAll(...nestedClaims(limits.coordinationTransactionOpsMax - 1))
        assert.equal((await keysOf('n')).length, limits.coordinationTransactionOpsMax - 1)
      })
    })

    describe('ranges', () => {
      it('answers exactly the keys with the prefix, in the order of their UTF-8 bytes', async () => {
        const inOrder = ['p/', 'p/a', 'p/a/b', 'p/b', 'p/é', 'p/漢', 'p/\uffee', 'p/😀']
        await putAll(...[...inOrder].reverse().map(key => put(key, key)), put('p', '1'), put('q/', '1'))
        assert.deepEqual(await keysOf('p/'), inOrder)
        assert.deepEqual(await keysOf('p/a'), ['p/a', 'p/a/b'])
        assert.deepEqual(await keysOf('nothing/'), [])
      })

      it('reads all entries at one revision', async () => {
        await putAll(put('r/a', '1'))
        const { revision } = await putAll(put('r/b', '2'))
        const range = await settled(store.range(`${ROOT}r/`))
        assert.equal(range.revision, revision)
        assert.deepEqual(range.entries.map(text), ['1', '2'])
      })

      it('keeps a value in memory of its own', async () => {
        const value = new Uint8Array([1, 2, 3, 4]).subarray(1, 3)
        await putAll({ type: 'put', key: `${ROOT}a`, value })
        value.fill(9)
        assert.deepEqual([...((await get('a'))?.value ?? [])], [2, 3])
      })

      it('keeps keys that are names of object properties, and any bytes as value', async () => {
        const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'a b\n"\u0001']
        await putAll(...names.map(key => put(key, key)))
        for (const key of names) assert.equal(text(await get(key)), key)
        const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
        await putAll({ type: 'put', key: `${ROOT}bytes`, value: bytes })
        assert.deepEqual(Uint8Array.from((await get('bytes'))?.value ?? []), bytes)
      })
    })

    describe('leases', () => {
      it('deletes the keys of an expired lease in one revision, never before its TTL', async () => {
        const recorder = await watching('lease/')
        const { leaseId, ttlMs } = await settled(store.grantLease(2000))
        assert.ok(ttlMs >= 2000)
        await putAll(put('lease/a', '1', leaseId), put('lease/b', '2', leaseId), put('lease/c', '3'))
        assert.equal((await get('lease/a'))?.leaseId, leaseId)
        await harness.advance(ttlMs - 1000)
        assert.deepEqual(await keysOf('lease/'), ['lease/a', 'lease/b', 'lease/c'])
        await until(harness, 'the lease runs out', () => recorder.deletes.length === 2, 10_000)
        assert.deepEqual(await keysOf('lease/'), ['lease/c'])
        assert.equal(new Set(recorder.deletes.map(event => event.revision)).size, 1)
      })

      it('keeps a lease that is kept alive', async () => {
        const { leaseId, ttlMs } = await settled(store.grantLease(2000))
        await putAll(put('lease/a', '1', leaseId))
        for (let i = 0; i < 3; i++) {
          await harness.advance(ttlMs - 1000)
          assert.equal(await settled(store.keepAlive(leaseId)), 'alive')
        }
        assert.deepEqual(await keysOf('lease/'), ['lease/a'])
      })

      it('answers expired for a lease that is gone', async () => {
        const { leaseId } = await settled(store.grantLease(2000))
        await settled(store.revokeLease(leaseId))
        assert.equal(await settled(store.keepAlive(leaseId)), 'expired')
      })

      it('deletes the keys of a revoked lease at once, and does not mind an unknown one', async () => {
        const { leaseId } = await settled(store.grantLease(60_000))
        await putAll(put('lease/a', '1', leaseId), put('lease/b', '1', leaseId))
        await settled(store.revokeLease(leaseId))
        assert.deepEqual(await keysOf('lease/'), [])
        await settled(store.revokeLease(leaseId))
      })

      it('frees a key from its lease when it is put without one', async () => {
        const { leaseId } = await settled(store.grantLease(60_000))
        await putAll(put('lease/a', '1', leaseId))
        await putAll(put('lease/a', '2'))
        await settled(store.revokeLease(leaseId))
        assert.equal(text(await get('lease/a')), '2')
      })

      it('moves a key to the lease it was put with last', async () => {
        const first = await settled(store.grantLease(60_000))
        const second = await settled(store.grantLease(60_000))
        await putAll(put('lease/a', '1', first.leaseId))
        await putAll(put('lease/a', '2', second.leaseId))
        await settled(store.revokeLease(first.leaseId))
        assert.equal(text(await get('lease/a')), '2')
        await settled(store.revokeLease(second.leaseId))
        assert.equal(await get('lease/a'), undefined)
      })

      it('refuses a put on a lease that is gone, with its whole transaction', async () => {
        const { leaseId } = await settled(store.grantLease(60_000))
        await settled(store.revokeLease(leaseId))
        const outcome = await settled(
          store.transact({ compare: [], success: [put('b', '1'), put('a', '1', leaseId)], failure: [] }),
        )
        assert.equal(outcome.outcome, 'unavailable')
        assert.equal(await get('b'), undefined)
      })
    })

    describe('watches', () => {
      it('begins with the state at the start and goes on from there', async () => {
        const { revision } = await putAll(put('w/a', '1'))
        await putAll(put('outside', '1'))
        const recorder = await watching('w/')
        const [reset] = recorder.resets
        assert.deepEqual(reset?.entries.map(text), ['1'])
        assert.ok(reset !== undefined && reset.revision > revision)
        await putAll(put('w/a', '2'))
        await putAll(put('outside', '2'))
        await putAll(del('w/a'))
        await until(harness, 'both events', () => recorder.events.length === 2)
        const [changed, deleted] = recorder.events
        assert.ok(changed?.type === 'put' && text(changed.entry) === '2')
        assert.equal(changed.entry.createRevision, revision)
        assert.ok(deleted?.type === 'delete' && deleted.key === `${ROOT}w/a`)
        assert.ok(deleted.revision > changed.entry.modRevision)
        assert.equal(recorder.resets.length, 1)
      })

      it('delivers every event once, in revision order, transactions whole', async () => {
        const recorder = await watching('w/')
        const written = Array.from({ length: 50 }, (_, i) =>
          store.transact({ compare: [], success: [put(`w/x${i}`, '1'), put(`w/y${i}`, '1')], failure: [] }),
        )
        await settled(Promise.all(written))
        await until(harness, '100 events', () => recorder.events.length >= 100)
        const revisions = recorder.events.map(revisionOf)
        assert.deepEqual(
          revisions,
          [...revisions].sort((a, b) => a - b),
        )
        assert.equal(new Set(recorder.events.map(keyOf)).size, 100)
        for (const call of recorder.calls) {
          assert.equal(call.events.length % 2, 0)
          assert.ok(call.revision >= revisionOf(call.events[call.events.length - 1] as CoordinationEvent))
        }
      })

      it('loses no change made around its start', async () => {
        const recorder = new Recorder()
        const writing = Array.from({ length: 10 }, (_, i) => putLater(`w/before${i}`))
        recorder.watch = store.watch(`${ROOT}w/`, recorder)
        writing.push(...Array.from({ length: 10 }, (_, i) => putLater(`w/after${i}`)))
        await settled(Promise.all(writing))
        await until(harness, 'all 20 keys are known', () => recorder.knownKeys().size === 20)
        assert.equal(recorder.resets.length, 1)
        assert.equal((recorder.resets[0]?.entries.length ?? 0) + recorder.events.length, 20)
      })

      it('calls nobody after close', async () => {
        const recorder = await watching('w/')
        const other = await watching('w/')
        recorder.watch?.close()
        recorder.watch?.close()
        await putAll(put('w/a', '1'))
        await until(harness, 'the other watch hears of it', () => other.events.length === 1)
        assert.equal(recorder.events.length, 0)
      })

      it('may be closed by its own callback', async () => {
        const recorder = await watching('w/')
        recorder.closeAfterEvents = 1
        const other = await watching('w/')
        await putAll(put('w/a', '1'))
        await putAll(put('w/a', '2'))
        await until(harness, 'the other watch hears both', () => other.events.length === 2)
        assert.equal(recorder.calls.length, 1)
      })
    })

    describe('compaction', () => {
      it('keeps what is there, and the revision', async () => {
        await putAll(put('c/gone', '1'))
        await putAll(put('c/a', '1'))
        await putAll(del('c/gone'))
        const { revision } = await putAll(put('c/a', '2'))
        await settled(store.compact(revision))
        assert.equal(text(await get('c/a')), '2')
        assert.deepEqual(await keysOf('c/'), ['c/a'])
        assert.ok((await putAll(put('c/a', '3'))).revision > revision)
      })

      it('may be asked again for a revision already forgotten, not for one to come', async () => {
        const { revision } = await putAll(put('c/a', '1'))
        await putAll(put('c/a', '2'))
        await settled(store.compact(revision + 1))
        await settled(store.compact(revision))
        await assert.rejects(
          settled(store.compact(revision + 1_000_000)),
          (error: unknown) => error instanceof GrapevineError && error.code === 'COORDINATION_UNAVAILABLE',
        )
      })

      it('leaves a watch that has seen all undisturbed', async () => {
        const recorder = await watching('c/')
        const { revision } = await putAll(put('c/a', '1'))
        await until(harness, 'the event', () => recorder.events.length === 1)
        await settled(store.compact(revision))
        await putAll(put('c/b', '1'))
        await until(harness, 'the event after it', () => recorder.events.length === 2)
        assert.equal(recorder.resets.length, 1)
      })

      it('makes a watch that lags behind lose nothing: it is told, or reset', async () => {
        const { revision } = await putAll(put('c/first', '1'))
        const recorder = new Recorder()
        recorder.watch = store.watch(`${ROOT}c/`, recorder)
        // These go out together: the watch may list before them and begin to listen after the compaction.
        const calls: Promise<unknown>[] = Array.from({ length: 5 }, (_, i) => putLater(`c/x${i}`))
        calls.push(store.compact(revision), putLater('c/last'))
        await settled(Promise.all(calls))
        const { revision: latest } = await settled(store.get(`${ROOT}c/last`))
        await settled(store.compact(latest))
        const present = new Set(await keysOf('c/'))
        await until(harness, 'all keys are known', () => recorder.knownKeys().size === present.size)
        assert.equal(present.size, 7)
      })
    })

    describe('status', () => {
      it('tells a size that holds what was written, its version and no alarm', async () => {
        const bytes = new Uint8Array(50_000).fill(7)
        await putAll({ type: 'put', key: `${ROOT}big`, value: bytes })
        const status = await settled(store.status())
        assert.ok(status.sizeBytes >= bytes.length)
        assert.ok(status.sizeInUseBytes > 0 && status.sizeInUseBytes <= status.sizeBytes)
        assert.ok(status.quotaBytes === undefined || status.quotaBytes > status.sizeBytes)
        assert.equal(status.alarm, undefined)
        assert.notEqual(status.version, '')
      })
    })

    describe('close', () => {
      it('refuses calls afterwards and silences watches', async () => {
        const recorder = await watching('w/')
        await settled(store.close())
        await settled(store.close())
        const isClosed = (error: unknown): boolean =>
          error instanceof GrapevineError && error.code === 'COORDINATION_CLOSED'
        await assert.rejects(store.get('a'), isClosed)
        await assert.rejects(store.range('a'), isClosed)
        await assert.rejects(store.grantLease(5000), isClosed)
        await assert.rejects(store.keepAlive('1'), isClosed)
        await assert.rejects(store.revokeLease('1'), isClosed)
        await assert.rejects(store.compact(1), isClosed)
        await assert.rejects(store.status(), isClosed)
        const outcome = await store.transact({ compare: [], success: [put('a', '1')], failure: [] })
        assert.equal(outcome.outcome, 'unavailable')
        assert.equal(recorder.events.length, 0)
      })

      it('settles the calls under way', async () => {
        const reading = store.get(`${ROOT}a`).then(
          () => 'answered',
          (error: unknown) => (error instanceof GrapevineError ? error.code : String(error)),
        )
        const writing = store.transact({ compare: [], success: [put('a', '1')], failure: [] })
        await settled(store.close())
        assert.ok(['answered', 'COORDINATION_CLOSED'].includes(await settled(reading)))
        assert.ok(['done', 'unknown'].includes((await settled(writing)).outcome))
      })
    })

    async function putLater(key: string): Promise<void> {
      const outcome = await store.transact({ compare: [], success: [put(key, '1')], failure: [] })
      assert.equal(outcome.outcome, 'done')
    }
  })
}

/** A watcher that remembers what it was told. */
class Recorder {
  readonly resets: { entries: readonly CoordinationEntry[]; revision: number }[] = []
  readonly calls: { events: readonly CoordinationEvent[]; revision: number }[] = []
  watch: { close(): void } | undefined
  closeAfterEvents = Infinity

  onReset(entries: readonly CoordinationEntry[], revision: number): void {
    this.resets.push({ entries, revision })
  }

  onEvents(events: readonly CoordinationEvent[], revision: number): void {
    assert.ok(this.resets.length > 0, 'events before the first reset')
    assert.ok(events.length > 0, 'a call without events')
    this.calls.push({ events, revision })
    if (this.events.length >= this.closeAfterEvents) this.watch?.close()
  }

  get events(): CoordinationEvent[] {
    return this.calls.flatMap(call => call.events)
  }

  get deletes(): Extract<CoordinationEvent, { type: 'delete' }>[] {
    return this.events.filter(event => event.type === 'delete')
  }

  knownKeys(): Set<string> {
    return new Set([
      ...this.resets.flatMap(reset => reset.entries.map(entry => entry.key)),
      ...this.events.map(keyOf),
    ])
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

function put(key: string, value: string, leaseId?: string): CoordinationOperation {
  const operation = { type: 'put' as const, key: ROOT + key, value: encoder.encode(value) }
  return leaseId === undefined ? operation : { ...operation, leaseId }
}

function del(key: string): CoordinationOperation {
  return { type: 'delete', key: ROOT + key }
}

function read(key: string): CoordinationOperation {
  return { type: 'get', key: ROOT + key }
}

function absent(key: string): CoordinationCompare {
  return { key: ROOT + key, target: 'createRevision', is: 'equal', revision: 0 }
}

function modified(key: string, revision: number): CoordinationCompare {
  return { key: ROOT + key, target: 'modRevision', is: 'equal', revision }
}

function text(entry: CoordinationEntry | undefined): string | undefined {
  return entry === undefined ? undefined : decoder.decode(entry.value)
}

function keyOf(event: CoordinationEvent): string {
  return event.type === 'put' ? event.entry.key : event.key
}

function revisionOf(event: CoordinationEvent): number {
  return event.type === 'put' ? event.entry.modRevision : event.revision
}
