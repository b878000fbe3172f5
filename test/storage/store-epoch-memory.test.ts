import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LevelStore } from '../../src/storage/level-store.ts'
import { StoreEpochMemory } from '../../src/storage/store-epoch-memory.ts'
import { SystemClock } from '../../src/system/system-clock.ts'
import { silentLogger } from '../support/silent-logger.ts'

describe('StoreEpochMemory on a disk', () => {
  let dir: string
  let store: LevelStore

  const open = async (): Promise<StoreEpochMemory> => {
    store = await LevelStore.open({ dir, sync: 'batch', syncIntervalMs: 10, clock: new SystemClock() })
    return new StoreEpochMemory(store, silentLogger)
  }

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'grapevine-epoch-'))
  })
  afterEach(async () => {
    await store.close()
    await rm(dir, { recursive: true })
  })

  it('knows nothing at first, and afterwards what was saved last', async () => {
    const memory = await open()
    assert.equal(await memory.load(), undefined)
    memory.save({ epoch: 1, revision: 10 })
    const mark = { epoch: 3, revision: 2 ** 52, claimedEpoch: 2, owners: [['b', 3] as const] }
    memory.save(mark)
    await store.flush()
    await store.close()
    assert.deepEqual(await (await open()).load(), mark)
  })

  it('reads what earlier versions wrote', async () => {
    const memory = await open()
    memory.save({ epoch: 1, revision: 10 })
    await store.flush()
    assert.deepEqual(await memory.load(), { epoch: 1, revision: 10 })
  })

  it('throws for a value that nobody wrote', async () => {
    const memory = await open()
    store.append([
      { type: 'put', key: 'coordination/epoch', value: new TextEncoder().encode('{"epoch":"1"}') },
    ])
    await store.flush()
    await assert.rejects(memory.load(), /something else under coordination\/epoch/)
  })
})
