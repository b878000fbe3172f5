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

  const write = async (value: Uint8Array): Promise<void> => {
    store.append([{ type: 'put', key: 'coordination/epoch', value }])
    await store.flush()
  }

  it('reads what earlier versions wrote', async () => {
    const memory = await open()
    await write(new TextEncoder().encode('{"epoch":1,"revision":10}'))
    assert.deepEqual(await memory.load(), { epoch: 1, revision: 10 })
  })

  it('refuses a mark in which any one bit has flipped', async () => {
    const memory = await open()
    memory.save({ epoch: 1, revision: 12345, claimedEpoch: 1 })
    await store.flush()
    const written = await store.get('coordination/epoch')
    assert.ok(written !== undefined)
    for (let bit = 0; bit < 8 * written.length; bit++) {
      const damaged = Uint8Array.from(written)
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      await write(damaged)
      await assert.rejects(memory.load(), { code: 'STORE_CORRUPT' }, `bit ${bit}`)
    }
  })

  it('refuses a value that nobody wrote', async () => {
    const memory = await open()
    for (const text of ['{"epoch":"1"}', '{', '']) {
      await write(new TextEncoder().encode(text))
      await assert.rejects(memory.load(), { code: 'STORE_CORRUPT' }, text)
    }
  })
})
