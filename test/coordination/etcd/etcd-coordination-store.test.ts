import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { EtcdCoordinationStore } from '../../../coordination/etcd/etcd-coordination-store.ts'
import { EtcdEndpoints } from '../../../coordination/etcd/etcd-endpoints.ts'
import { EtcdWatch } from '../../../coordination/etcd/etcd-watch.ts'
import { GrapevineError } from '../../../src/core/errors.ts'
import type { CoordinationEvent, CoordinationOutcome } from '../../../src/core/ports/coordination-store.ts'
import { SystemClock } from '../../../src/system/system-clock.ts'
import { SystemRandom } from '../../../src/system/system-random.ts'
import { coordinationStoreContract } from '../../contract/coordination-store-contract.ts'
import { startPrivateEtcd, type PrivateEtcd } from '../../support/private-etcd.ts'
import { RecordingLogger } from '../support/recording-logger.ts'

describe('EtcdCoordinationStore on a real etcd', function () {
  this.timeout(60_000)
  let etcd: PrivateEtcd

  before(async () => {
    etcd = await startPrivateEtcd()
  })
  after(() => etcd.close())

  const connect = (timeoutMs = 3000, endpoints = [etcd.url]): Promise<EtcdCoordinationStore> =>
    EtcdCoordinationStore.connect({
      endpoints,
      clock: new SystemClock(),
      random: new SystemRandom(),
      logger: new RecordingLogger(),
      timeoutMs,
    })
  const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
  const put = (store: EtcdCoordinationStore, key: string): Promise<CoordinationOutcome> =>
    store.transact({ compare: [], success: [{ type: 'put', key, value: new Uint8Array([1]) }], failure: [] })

  coordinationStoreContract('EtcdCoordinationStore', async () => {
    const subject = await connect()
    const { entries } = await subject.range('/contract/')
    for (let i = 0; i < entries.length; i += 100) {
      const success = entries.slice(i, i + 100).map(({ key }) => ({ type: 'delete' as const, key }))
      await subject.transact({ compare: [], success, failure: [] })
    }
    return { subject, advance: sleep, close: () => subject.close() }
  })

  it('says which endpoints it tried when none answers', async () => {
    const endpoints = ['http://127.0.0.1:1', 'http://127.0.0.1:2']
    await assert.rejects(connect(500, endpoints), (error: unknown) => {
      assert.ok(error instanceof GrapevineError)
      assert.equal(error.code, 'ETCD_UNREACHABLE')
      assert.ok(endpoints.every(endpoint => error.message.includes(endpoint)))
      assert.ok(!error.message.includes('\n'))
      return true
    })
  })

  it('works through the endpoints until one answers', async () => {
    const store = await connect(3000, ['http://127.0.0.1:1', etcd.url])
    assert.equal((await put(store, '/endpoints')).outcome, 'done')
    await store.close()
  })

  it('resets its watches when etcd comes back, and loses no change', async () => {
    const store = await connect(2000)
    const resets: string[][] = []
    const events: CoordinationEvent[] = []
    const heard = new Heard()
    store.watch('/restart/', {
      onReset: entries => {
        resets.push(entries.map(entry => entry.key))
        heard.tell()
      },
      onEvents: told => {
        events.push(...told)
        heard.tell()
      },
    })
    await heard.until(() => resets.length === 1)
    await put(store, '/restart/a')
    await heard.until(() => events.length === 1)
    await etcd.kill()
    // The first may have left before the connection was seen to be gone; the second certainly has not.
    assert.notEqual((await put(store, '/restart/b')).outcome, 'done')
    assert.equal((await put(store, '/restart/b')).outcome, 'unavailable')
    await assert.rejects(
      store.get('/restart/a'),
      (error: unknown) => error instanceof GrapevineError && error.code === 'COORDINATION_UNAVAILABLE',
    )
    await etcd.restart()
    await heard.until(() => resets.length === 2)
    assert.deepEqual(resets[1], ['/restart/a'])
    assert.equal((await put(store, '/restart/c')).outcome, 'done')
    await heard.until(() => events.length === 2)
    await store.close()
  })

  it('answers unknown for a write that etcd received but did not answer in time', async () => {
    const store = await connect(1000)
    assert.equal((await put(store, '/paused')).outcome, 'done')
    await etcd.pause()
    const startMs = performance.now()
    const [outcome] = await Promise.all([put(store, '/paused'), assert.rejects(store.keepAlive('123'))])
    assert.equal(outcome.outcome, 'unknown')
    assert.ok(performance.now() - startMs < 3000)
    etcd.resume()
    const { entry } = await store.get('/paused')
    assert.ok(entry !== undefined)
    await store.close()
  })

  it('lists again when the history it would watch from was compacted', async () => {
    const store = await connect()
    const { revision: listedRevision } = await store.get('/compacted/a')
    for (let i = 0; i < 3; i++) await put(store, '/compacted/a')
    const { revision } = await store.get('/compacted/a')
    const endpoints = new EtcdEndpoints([etcd.url])
    await endpoints.current.client.kv.compact({ revision: String(revision) })

    const resets: number[] = []
    const heard = new Heard()
    const logger = new RecordingLogger()
    const watch = new EtcdWatch(
      {
        endpoints,
        clock: new SystemClock(),
        random: new SystemRandom(),
        logger,
        // The first list is as old as one that was answered before the compaction.
        range: prefix =>
          resets.length === 0
            ? Promise.resolve({ entries: [], revision: listedRevision })
            : store.range(prefix),
      },
      '/compacted/',
      {
        onReset: (_, resetRevision) => {
          resets.push(resetRevision)
          heard.tell()
        },
        onEvents: () => assert.fail('events of a compacted history'),
      },
    )
    await heard.until(() => resets.length === 2)
    assert.deepEqual(resets, [listedRevision, revision])
    assert.match(logger.lines[0] ?? '', /compacted/)
    watch.close()
    endpoints.close()
    await store.close()
  })

  it('leaves nothing that keeps a process alive after close', async () => {
    const script = `
      import { EtcdCoordinationStore } from './coordination/etcd/etcd-coordination-store.ts'
      import { SystemClock } from './src/system/system-clock.ts'
      import { SystemRandom } from './src/system/system-random.ts'
      const silent = { debug() {}, info() {}, warn() {}, error() {}, child() { return silent } }
      const store = await EtcdCoordinationStore.connect({
        endpoints: ['${etcd.url}'], clock: new SystemClock(), random: new SystemRandom(), logger: silent,
      })
      await new Promise(resolve => store.watch('/', { onReset: resolve, onEvents() {} }))
      const { leaseId } = await store.grantLease(5000)
      await store.keepAlive(leaseId)
      await store.close()
      console.log('closed')
    `
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module-typescript', '-e', script],
      {
        timeout: 10_000,
      },
    )
    assert.equal(stdout, 'closed\n')
    assert.equal(stderr, '')
  })
})

/** Lets a test wait for what a callback will make true. */
class Heard {
  #wake: () => void = () => {}

  tell(): void {
    this.#wake()
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>(resolve => (this.#wake = resolve))
  }
}
