import assert from 'node:assert/strict'
import { AlarmAction, AlarmType } from 'etcd3'
import { EtcdCoordinationStore } from '../../../coordination/etcd/etcd-coordination-store.ts'
import { EtcdEndpoint } from '../../../coordination/etcd/etcd-endpoints.ts'
import { StoreGuard } from '../../../coordination/store-guard.ts'
import { StoreSize } from '../../../coordination/store-size.ts'
import type {
  CoordinationOperation,
  CoordinationOutcome,
} from '../../../src/core/ports/coordination-store.ts'
import { SystemClock } from '../../../src/system/system-clock.ts'
import { SystemRandom } from '../../../src/system/system-random.ts'
import { until } from '../../contract/harness.ts'
import { startPrivateEtcd, type PrivateEtcd } from '../../support/private-etcd.ts'
import { RecordingLogger } from '../support/recording-logger.ts'

const QUOTA_BYTES = 4 * 1024 * 1024
const VALUE_BYTES = 60 * 1024

describe('an etcd that is full', function () {
  this.timeout(60_000)
  const clock = new SystemClock()
  const random = new SystemRandom()
  const logger = new RecordingLogger()
  const time = { advance: (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms)) }
  let etcd: PrivateEtcd
  let store: StoreGuard
  let leaseId: string
  let written = 0

  before(async () => {
    etcd = await startPrivateEtcd({ flags: ['--quota-backend-bytes', String(QUOTA_BYTES)] })
    const options = { endpoints: [etcd.url], clock, random, logger, quotaBytes: QUOTA_BYTES }
    store = new StoreGuard(await EtcdCoordinationStore.connect(options), { clock, random, logger }, '/s/')
    leaseId = (await store.grantLease(60_000)).leaseId
  })
  after(async () => {
    await store.close()
    await etcd.close()
  })

  const transact = (...success: CoordinationOperation[]): Promise<CoordinationOutcome> =>
    store.transact({ compare: [], success, failure: [] })
  const putNext = (): Promise<CoordinationOutcome> =>
    transact({ type: 'put', key: `/full/${written++}`, value: new Uint8Array(VALUE_BYTES) })
  async function isNearlyFull(): Promise<boolean> {
    const size = new StoreSize(store, { clock, random, logger })
    size.start()
    await until(time, 'the size is known', () => size.status !== undefined)
    size.close()
    return size.isNearQuota()
  }

  it('is seen to fill before it is full', async () => {
    assert.equal(await isNearlyFull(), false)
    while (written * VALUE_BYTES < QUOTA_BYTES * 0.85) assert.equal((await putNext()).outcome, 'done')
    // etcd counts what is in use when it writes to its file, several times a second.
    await time.advance(500)
    assert.equal((await store.status()).alarm, undefined)
    assert.equal(await isNearlyFull(), true)
  })

  it('refuses writes and new leases by name, and is not taken for one that is down', async () => {
    let outcome = await putNext()
    for (let i = 0; i < 100 && outcome.outcome === 'done'; i++) outcome = await putNext()
    assert.ok(outcome.outcome === 'unavailable' && outcome.isRefusal === true)
    assert.match(outcome.reason, /NOSPACE.*defragment.*--quota-backend-bytes.*alarm disarm/)
    for (let i = 0; i < 10; i++) await putNext()
    for (let i = 0; i < 10; i++) await assert.rejects(store.grantLease(10_000), /etcd refused: .*NOSPACE/)
    assert.equal(store.breaker.state, 'closed')
    assert.match(store.refusal.reason ?? '', /NOSPACE/)
    assert.equal(logger.lines.filter(line => line.includes('refuses what this node needs')).length, 1)
    assert.equal((await store.status()).alarm, 'NOSPACE')
    assert.equal(await isNearlyFull(), true)
  })

  it('still serves reads, leases and deletes', async () => {
    assert.ok((await store.get('/full/0')).entry !== undefined)
    assert.ok((await store.range('/full/1')).entries.length > 0)
    assert.equal(await store.keepAlive(leaseId), 'alive')
    assert.equal((await transact({ type: 'delete', key: '/full/0' })).outcome, 'done')
    await time.advance(5000)
    assert.match(store.refusal.reason ?? '', /NOSPACE/)
  })

  it('takes writes again when it was compacted, defragmented and disarmed, without a restart of the node', async () => {
    for (let i = 0; i < written; i++) await transact({ type: 'delete', key: `/full/${i}` })
    await store.compact((await store.get('/full/0')).revision)
    const endpoint = new EtcdEndpoint(etcd.url, {})
    const { maintenance } = endpoint.client
    // Compaction goes through the file in the background; what it frees, defragmentation gives back.
    for (let attempt = 0; (await store.status()).sizeBytes > QUOTA_BYTES / 2; attempt++) {
      assert.ok(attempt < 100, 'the history is still there')
      await time.advance(100)
      await maintenance.defragment()
    }
    const { header } = await maintenance.status()
    await maintenance.alarm({
      action: AlarmAction.Deactivate,
      alarm: AlarmType.Nospace,
      memberID: header.member_id,
    })
    endpoint.client.close()
    assert.equal((await putNext()).outcome, 'done')
    assert.equal((await store.status()).alarm, undefined)
    assert.equal(await isNearlyFull(), false)
    await until(time, 'it is known to refuse nothing', () => store.refusal.reason === undefined, 10_000)
  })
})
