import assert from 'node:assert/strict'
import { CoordinationKeys } from '../../coordination/keys.ts'
import { RouteRecords } from '../../coordination/route-records.ts'
import { SeededRandom } from '../../sim/ports/seeded-random.ts'
import { SimCoordinationService } from '../../sim/ports/sim-coordination-store.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { until } from '../contract/harness.ts'
import { CutOffStore } from './support/cut-off-store.ts'

const keys = new CoordinationKeys('test')

/** One life with its lease and member key, and its records. */
class RecordsHarness {
  readonly clock = new VirtualClock()
  readonly service = new SimCoordinationService(this.clock)
  readonly store = new CutOffStore(this.service.connect(), this.clock)
  readonly records: RouteRecords
  leaseId: string | undefined

  constructor() {
    this.records = new RouteRecords({
      store: this.store,
      clock: this.clock,
      random: new SeededRandom(1),
      keys,
      nodeId: 'a',
      incarnation: () => 7,
      leaseId: () => this.leaseId,
    })
    this.register()
  }

  /** On a new lease; the old one is gone if `isLost`. */
  register(isLost = false): void {
    if (isLost && this.leaseId !== undefined) this.service.state.revokeLease(this.leaseId)
    this.leaseId = this.service.grantLease(600_000).leaseId
    const put = {
      type: 'put',
      key: keys.member('a', 7),
      value: new Uint8Array(0),
      leaseId: this.leaseId,
    } as const
    this.service.state.transact({ compare: [], success: [put], failure: [] })
  }

  async settled<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const settle = (): void => void (isSettled = true)
    promise.then(settle, settle)
    await until(this.clock, 'a promise settles', () => isSettled, 60_000)
    return promise
  }

  write(...changes: [name: string, value: string | undefined][]): Promise<'done' | 'lost' | 'full'> {
    return this.records.write(
      changes.map(([name, value]) => ({
        name,
        value: value === undefined ? value : new TextEncoder().encode(value),
      })),
    )
  }

  /** What others read, the head left out. */
  async read(prefix = ''): Promise<string[]> {
    const records = (await this.settled(this.records.read('a', 7, prefix))) ?? []
    return records
      .filter(({ name }) => name !== 'head')
      .map(({ name, value }) => `${name}=${new TextDecoder().decode(value)}`)
  }
}

describe('RouteRecords', () => {
  it('writes, rewrites and deletes under the life that it is of, on its lease', async () => {
    const node = new RecordsHarness()
    await node.settled(node.records.clear())
    assert.equal(await node.settled(node.write(['x/1', 'one'], ['x/2', 'two'])), 'done')
    assert.equal(await node.settled(node.write(['x/1', undefined], ['x/2', 'zwei'], ['y', 'y'])), 'done')
    assert.deepEqual(await node.read(), ['x/2=zwei', 'y=y'])
    assert.deepEqual(await node.read('x/'), ['x/2=zwei'])
    assert.deepEqual(await node.settled(node.records.read('a', 8, '')), [])
    node.service.state.revokeLease(node.leaseId ?? '')
    assert.deepEqual(await node.read(), [])
  })

  it('tells a watcher what there is, then what is put, by write', async () => {
    const node = new RecordsHarness()
    await node.settled(node.records.clear())
    await node.settled(node.write(['d/1', 'a'], ['s/1', 'b']))
    const seen: string[] = []
    const watch = node.records.watch('a', 7, 'd/', {
      onReset: records => seen.push(`reset ${records.map(({ name }) => name).join()}`),
      onPut: records => seen.push(`put ${records.map(({ name }) => name).join()}`),
    })
    await node.clock.advance(10)
    await node.settled(node.write(['d/2', 'c'], ['d/3', 'd'], ['s/2', 'e'], ['d/1', undefined]))
    await node.clock.advance(10)
    watch.close()
    await node.settled(node.write(['d/4', 'f']))
    await node.clock.advance(10)
    assert.deepEqual(seen, ['reset d/1', 'put d/2,d/3'])
  })

  it('carries a write out once though its answer was lost', async () => {
    const node = new RecordsHarness()
    await node.settled(node.records.clear())
    node.store.setContact('deaf')
    const written = node.write(['x', 'one'])
    await node.clock.advance(1500)
    node.store.setContact('open')
    assert.equal(await node.settled(written), 'done')
    assert.equal(node.records.stats.writes, 1)
    assert.equal(await node.settled(node.write(['x', 'two'])), 'done')
    assert.deepEqual(await node.read(), ['x=two'])
  })

  it('waits while the store is away, and while the node has no lease', async () => {
    const node = new RecordsHarness()
    await node.settled(node.records.clear())
    const { leaseId } = node
    node.leaseId = undefined
    node.store.setContact('cut')
    const written = node.write(['x', 'one'])
    await node.clock.advance(10_000)
    node.store.setContact('open')
    await node.clock.advance(10_000)
    assert.deepEqual(await node.read(), [])
    node.leaseId = leaseId
    assert.equal(await node.settled(written), 'done')
  })

  it('says lost when its lease was, and when the node has another one, and begins anew', async () => {
    for (const isLost of [true, false]) {
      const node = new RecordsHarness()
      await node.settled(node.records.clear())
      await node.settled(node.write(['x', 'one']))
      node.register(isLost)
      assert.equal(await node.settled(node.write(['y', 'two'])), 'lost')
      await node.settled(node.records.clear())
      assert.deepEqual(await node.read(), [])
      assert.equal(await node.settled(node.write(['y', 'two'])), 'done')
      assert.deepEqual(await node.read(), ['y=two'])
    }
  })

  it('clears any number of records', async () => {
    const node = new RecordsHarness()
    await node.settled(node.records.clear())
    for (let from = 0; from < 300; from += 90) {
      await node.settled(
        node.write(...Array.from({ length: 90 }, (_, i): [string, string] => [`x/${from + i}`, ''])),
      )
    }
    await node.settled(node.records.clear())
    assert.deepEqual(node.service.state.range(keys.routesOf('a', 7)), [])
  })

  it('gives up what it waits for when it is closed', async () => {
    const node = new RecordsHarness()
    node.store.setContact('cut')
    const cleared = node.records.clear()
    await node.clock.advance(2000)
    node.records.close()
    assert.equal(await node.settled(cleared), false)
    assert.equal(await node.settled(node.write(['x', 'one'])), 'lost')
  })
})
