import assert from 'node:assert/strict'
import { StoreGuard } from '../../coordination/store-guard.ts'
import { StoreRefusal } from '../../coordination/store-refusal.ts'
import { StoreSize } from '../../coordination/store-size.ts'
import { SeededRandom } from '../../sim/ports/seeded-random.ts'
import { SimCoordinationService } from '../../sim/ports/sim-coordination-store.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { GrapevineError } from '../../src/core/errors.ts'
import type {
  CoordinationOperation,
  CoordinationOutcome,
  CoordinationStore,
  CoordinationStoreStatus,
} from '../../src/core/ports/coordination-store.ts'
import { coordinationStoreContract } from '../contract/coordination-store-contract.ts'
import { CutOffStore } from './support/cut-off-store.ts'
import { RecordingLogger } from './support/recording-logger.ts'

coordinationStoreContract('StoreGuard', () => {
  const clock = new VirtualClock()
  const ports = { clock, random: new SeededRandom(1), logger: new RecordingLogger() }
  const subject = new StoreGuard(new SimCoordinationService(clock).connect(), ports, '/s/')
  return Promise.resolve({ subject, advance: ms => clock.advance(ms), close: () => subject.close() })
})

describe('StoreGuard', () => {
  let clock: VirtualClock
  let beneath: CutOffStore
  let logger: RecordingLogger
  let guard: StoreGuard

  beforeEach(() => {
    clock = new VirtualClock()
    logger = new RecordingLogger()
    beneath = new CutOffStore(new SimCoordinationService(clock).connect(), clock)
    guard = new StoreGuard(beneath, { clock, random: new SeededRandom(1), logger }, '/sessions/')
  })

  const write = (...success: CoordinationOperation[]): Promise<CoordinationOutcome> =>
    guard.transact({ compare: [], success, failure: [] })
  const put = (key: string, bytes = 10): CoordinationOperation => ({
    type: 'put',
    key,
    value: new Uint8Array(bytes),
  })
  /** What comes of a call, the clock moving until it settles or `withinMs` have passed. */
  async function after<T>(call: Promise<T>, withinMs: number): Promise<T | 'rejected' | 'pending'> {
    let settled: T | 'rejected' | 'pending' = 'pending'
    call.then(
      value => (settled = value),
      () => (settled = 'rejected'),
    )
    await clock.advance(withinMs)
    return settled
  }
  async function breakIt(): Promise<void> {
    beneath.setContact('cut')
    for (let i = 0; i < 5; i++) void write(put(`/${i}`))
    await clock.advance(1000)
    assert.equal(guard.breaker.state, 'open')
  }
  const isDone = (outcome: CoordinationOutcome | string): boolean =>
    typeof outcome === 'object' && outcome.outcome === 'done'

  it('lets a few failures pass, and opens at the fifth in a row, saying so once', async () => {
    beneath.setContact('cut')
    for (let i = 0; i < 4; i++) await after(write(put('/a')), 1000)
    beneath.setContact('open')
    assert.ok(isDone(await after(write(put('/a')), 10)))
    beneath.setContact('cut')
    for (let i = 0; i < 4; i++) await after(write(put('/a')), 1000)
    assert.equal(guard.breaker.state, 'closed')
    await after(write(put('/a')), 1000)
    assert.equal(guard.breaker.state, 'open')
    assert.equal(logger.lines.filter(line => line.includes('keeps failing')).length, 1)
  })

  it('fails reads and writes at once while it is open, as unavailable and with the reason', async () => {
    await breakIt()
    const sent = beneath.transactions
    const outcome = await write(put('/a'))
    assert.ok(outcome.outcome === 'unavailable')
    assert.match(outcome.reason, /failed 5 times in a row.*cut off/)
    await assert.rejects(
      guard.get('/a'),
      (error: unknown) => error instanceof GrapevineError && error.code === 'COORDINATION_UNAVAILABLE',
    )
    await assert.rejects(guard.range('/a'))
    await assert.rejects(guard.compact(1))
    assert.equal(beneath.transactions, sent)
    assert.deepEqual(guard.stats.failures, { unavailable: 5, unknown: 0, refused: 0, held: 4 })
  })

  it('tries with one call after a pause, and pauses longer when that one fails', async () => {
    await breakIt()
    await clock.advance(500)
    const probe = write(put('/a'))
    assert.equal(guard.breaker.state, 'half-open')
    assert.equal((await write(put('/b'))).outcome, 'unavailable')
    await after(probe, 1000)
    assert.equal(guard.breaker.state, 'open')
    await clock.advance(499)
    assert.equal((await write(put('/a'))).outcome, 'unavailable')
    await clock.advance(501)
    beneath.setContact('open')
    assert.ok(isDone(await after(write(put('/a')), 10)))
    assert.equal(guard.breaker.state, 'closed')
    assert.equal(guard.breaker.opened, 1)
    assert.match(logger.lines.at(-1) ?? '', /works again/)
  })

  it('lets lease calls, watches and status pass, and tries at once when a lease call got through', async () => {
    const leasing = guard.grantLease(60_000)
    await clock.advance(10)
    const { leaseId } = await leasing
    await breakIt()
    beneath.setContact('open')
    assert.equal((await write(put('/a'))).outcome, 'unavailable')
    assert.equal(typeof (await after(guard.status(), 10)), 'object')
    assert.equal((await write(put('/a'))).outcome, 'unavailable')
    let resets = 0
    guard.watch('/', { onReset: () => resets++, onEvents: () => {} })
    await clock.advance(10)
    assert.equal(resets, 1)
    assert.equal(await after(guard.keepAlive(leaseId), 10), 'alive')
    assert.ok(isDone(await after(write(put('/a')), 10)))
  })

  it('opens on failing lease calls too', async () => {
    beneath.setContact('cut')
    for (let i = 0; i < 5; i++) assert.equal(await after(guard.keepAlive('1'), 1000), 'rejected')
    assert.equal((await write(put('/a'))).outcome, 'unavailable')
  })

  it('does not take a refusal for a failure', async () => {
    for (let i = 0; i < 10; i++) {
      const outcome = await after(write(put('/a'), put('/a')), 10)
      assert.ok(typeof outcome === 'object' && outcome.outcome === 'unavailable' && outcome.isRefusal)
    }
    assert.equal(guard.breaker.state, 'closed')
    assert.equal(guard.stats.failures.refused, 10)
    assert.equal(guard.refusal.reason, undefined)
  })

  describe('when what a node needs is refused whatever it asks', () => {
    const standing = {
      outcome: 'unavailable',
      reason: 'permission denied',
      isRefusal: true,
      isStanding: true,
    } as const
    const said = (pattern: RegExp): number => logger.lines.filter(line => pattern.test(line)).length
    let transact: CoordinationStore['transact']

    beforeEach(async () => {
      transact = beneath.transact.bind(beneath)
      beneath.transact = () => Promise.resolve(standing)
      for (let i = 0; i < 10; i++) assert.deepEqual(await write(put(`/${i}`)), standing)
    })

    it('says so once, with the reason, and the breaker stays closed', async () => {
      assert.equal(guard.refusal.reason, 'permission denied')
      await clock.advance(60_000)
      assert.equal(guard.refusal.reason, 'permission denied')
      assert.equal(said(/^warn the coordination store refuses.*permission denied/), 1)
      assert.equal(guard.breaker.state, 'closed')
    })

    it('asks by itself whether it is over, writing nothing, and says once that it is', async () => {
      await clock.advance(60_000)
      beneath.transact = transact
      const before = await after(guard.get('/'), 10)
      await clock.advance(5100)
      assert.equal(guard.refusal.reason, undefined)
      assert.equal(said(/^info the coordination store grants again/), 1)
      assert.deepEqual(await after(guard.get('/'), 10), before)
      const asked = beneath.transactions
      await clock.advance(60_000)
      assert.equal(beneath.transactions, asked)
    })

    it('is not over because reads and leases are granted', async () => {
      assert.equal(typeof (await after(guard.get('/a'), 10)), 'object')
      assert.equal(typeof (await after(guard.grantLease(10_000), 10)), 'object')
      assert.equal(guard.refusal.reason, 'permission denied')
    })

    it('asks no more once it is closed', async () => {
      beneath.transact = transact
      guard.refusal.close()
      const asked = beneath.transactions
      await clock.advance(60_000)
      assert.equal(beneath.transactions, asked)
    })
  })

  it('knows from reads and lease calls too that all is refused, but not from a compaction', async () => {
    const refused = (): Promise<never> => Promise.reject(new StoreRefusal('permission denied', true))
    Object.assign(beneath, { compact: refused, keepAlive: refused })
    await assert.rejects(guard.compact(1))
    assert.equal(guard.refusal.reason, undefined)
    await assert.rejects(guard.keepAlive('1'))
    assert.equal(guard.refusal.reason, 'permission denied')
  })

  it('accounts for what was written, nested transactions included, and for session records by themselves', async () => {
    const record = put('/sessions/x', 100)
    const claim: CoordinationOperation = {
      type: 'transaction',
      transaction: { compare: [], success: [record], failure: [put('/sessions/y', 5000)] },
    }
    await after(write(put('/a', 8), claim), 10)
    await after(write({ type: 'delete', key: '/a' }, { type: 'delete', key: '/absent' }), 10)
    const { puts, deletes, putBytes, sessionPuts, sessionPutBytes } = guard.stats
    assert.deepEqual([puts, deletes, putBytes, sessionPuts, sessionPutBytes], [2, 1, 10 + 111, 1, 111])
  })

  it('measures how long each kind of call takes', async () => {
    beneath.answerDelayMs = 200
    await after(guard.get('/a'), 1000)
    const { counts, sum } = guard.stats.latency.get.read()
    assert.equal(
      counts.reduce((a, b) => a + b),
      1,
    )
    assert.ok(Math.abs(sum - 0.201) < 0.001)
    assert.equal(guard.stats.latency.range.read().sum, 0)
  })
})

describe('StoreSize', () => {
  const status: CoordinationStoreStatus = {
    sizeBytes: 100,
    sizeInUseBytes: 100,
    quotaBytes: 1000,
    alarm: undefined,
    version: '3.4.0',
  }
  let clock: VirtualClock
  let logger: RecordingLogger
  let answer: CoordinationStoreStatus | undefined
  let asked = 0
  let size: StoreSize

  beforeEach(async () => {
    clock = new VirtualClock()
    logger = new RecordingLogger()
    asked = 0
    answer = status
    const store = {
      status: () => {
        asked++
        return answer === undefined ? Promise.reject(new Error('cut off')) : Promise.resolve(answer)
      },
    }
    size = new StoreSize(store, { clock, random: new SeededRandom(1), logger })
    size.start()
    await clock.advance(1)
  })

  const learn = async (change: Partial<CoordinationStoreStatus>): Promise<boolean> => {
    answer = { ...status, ...change }
    await clock.advance(40_000)
    return size.isNearQuota()
  }

  it('asks about every 30 s until it is closed', async () => {
    assert.equal(asked, 1)
    await clock.advance(300_000)
    assert.ok(asked >= 8 && asked <= 14, String(asked))
    size.close()
    const before = asked
    await clock.advance(300_000)
    assert.equal(asked, before)
  })

  it('says nearly full at 80 % of the quota in use, at a file of 95 %, and at an alarm', async () => {
    assert.equal(size.isNearQuota(), false)
    assert.equal(await learn({ sizeBytes: 900, sizeInUseBytes: 799 }), false)
    assert.equal(await learn({ sizeBytes: 900, sizeInUseBytes: 800 }), true)
    assert.match(logger.lines.at(-1) ?? '', /^warn .*nearly full.*80 % of the quota/)
    assert.equal(await learn({}), false)
    assert.match(logger.lines.at(-1) ?? '', /room again/)
    assert.equal(await learn({ sizeBytes: 950 }), true)
    assert.equal(await learn({}), false)
    assert.equal(await learn({ alarm: 'NOSPACE' }), true)
    assert.equal(await learn({ sizeBytes: 5000, sizeInUseBytes: 5000, quotaBytes: undefined }), false)
  })

  it('keeps to what it last knew while the store does not answer', async () => {
    assert.equal(await learn({ sizeInUseBytes: 900 }), true)
    answer = undefined
    await clock.advance(100_000)
    assert.equal(size.isNearQuota(), true)
    assert.equal(size.status?.sizeInUseBytes, 900)
  })
})
