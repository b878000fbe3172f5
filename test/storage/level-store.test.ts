import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { GrapevineError, type ErrorCode } from '../../src/core/errors.ts'
import { LevelStore } from '../../src/storage/level-store.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { put } from '../contract/store-contract.ts'
import { openLevelStore, temporaryDir } from './harnesses.ts'

const CHILD = join(import.meta.dirname, 'level-store-child.ts')

describe('LevelStore', function () {
  this.timeout(60_000)
  let dir: string

  beforeEach(async () => {
    dir = await temporaryDir()
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  describe('when its process is killed', () => {
    for (const sync of ['always', 'batch', 'never'] as const) {
      it(`has kept every committed batch, and each batch wholly or not at all (sync ${sync})`, async () => {
        for (let round = 0, committed = 0; round < 2; round++) {
          const child = spawn(process.execPath, [CHILD, dir, sync, '100'], {
            stdio: ['ignore', 'pipe', 'inherit'],
          })
          committed = await lastCommitOf(child)
          const store = await openLevelStore(dir)
          const left = await numbersOf(store, 'left/')
          const right = await numbersOf(store, 'right/')
          await store.close()
          assert.deepEqual(left, right)
          for (let sequence = 1; sequence <= committed; sequence++)
            assert.ok(left.has(sequence), `batch ${sequence}`)
        }
      })
    }
  })

  describe('when a write fails', () => {
    it('reports STORE_FAILED once, throws it from append, rejects flush, and still closes', async function () {
      // A limit on the size of files stands in for a full disk.
      const child = spawn(
        'bash',
        ['-c', 'ulimit -f 256; exec "$@"', 'bash', process.execPath, CHILD, dir, 'batch'],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      )
      const lines = await linesOf(child)
      const afterFailure = lines.slice(lines.findIndex(line => line.startsWith('failed')))
      assert.deepEqual(afterFailure, [
        'failed STORE_FAILED',
        'append throws the failure',
        'flush rejects',
        'closed',
      ])
      const committed = lines.filter(line => line.startsWith('committed ')).length
      assert.ok(committed > 0)
    })
  })

  describe('syncing', () => {
    const sizeOfLog = async (): Promise<number> => {
      const [log = ''] = await filesOf(/\.log$/)
      return (await stat(log)).size
    }

    it('in mode batch writes once more within the interval, which readers do not see', async () => {
      const clock = new VirtualClock()
      const store = await LevelStore.open({ dir, sync: 'batch', syncIntervalMs: 50, clock })
      const commits: number[] = []
      store.onCommitted(upTo => commits.push(upTo))
      store.append([put('a')])
      const flushing = store.flush()
      await clock.advance(0)
      await flushing
      const written = await sizeOfLog()
      await clock.advance(50)
      // The fsync comes with a write of its own, as nothing else is being written.
      while ((await sizeOfLog()) === written) await sleep(1)
      assert.deepEqual(commits, [1])
      const keys: string[] = []
      for await (const [key] of store.range('')) keys.push(key)
      assert.deepEqual(keys, ['a'])
      // Clean now: no further one, also not for the close.
      const synced = await sizeOfLog()
      await clock.advance(1000)
      await store.close()
      assert.equal(await sizeOfLog(), synced)
    })

    it('in mode batch writes once more when it closes before the interval has passed', async () => {
      const sizes: Record<string, number> = {}
      for (const sync of ['batch', 'never'] as const) {
        const clock = new VirtualClock()
        const store = await LevelStore.open({ dir, sync, syncIntervalMs: 50, clock })
        store.append([put('a')])
        const closing = store.close()
        await clock.advance(0)
        await closing
        sizes[sync] = await sizeOfLog()
      }
      assert.ok((sizes['batch'] ?? 0) > (sizes['never'] ?? 0))
    })
  })

  describe('what came and went before it was written', () => {
    for (const sync of ['always', 'batch', 'never'] as const) {
      it(`is not written when its key was new, and committed all the same (sync ${sync})`, async () => {
        const store = await openLevelStore(dir, sync)
        const sizes: number[] = []
        for (const isNew of [true, false]) {
          store.append([{ ...put('a'), isNew }])
          store.append([{ type: 'del', key: 'a' }])
          await store.flush()
          assert.equal(store.committed, store.appended)
          const [log = ''] = await filesOf(/\.log$/)
          sizes.push((await stat(log)).size)
        }
        await store.close()
        assert.equal(sizes[0], 0)
        assert.ok((sizes[1] ?? 0) > 0)
      })
    }

    it('is written, in whole batches, when the deletion comes after the write began', async () => {
      const store = await openLevelStore(dir)
      store.append([{ ...put('a'), isNew: true }, put('b')])
      await store.flush()
      store.append([{ type: 'del', key: 'a' }, put('c')])
      await store.close()
      const again = await openLevelStore(dir)
      const keys: string[] = []
      for await (const [key] of again.range('')) keys.push(key)
      await again.close()
      assert.deepEqual(keys, ['b', 'c'])
    })
  })

  describe('refusals', () => {
    it('DATA_DIR_LOCKED while another store has the directory, and none after it closed', async () => {
      const store = await openLevelStore(dir)
      await refuses('DATA_DIR_LOCKED')
      await store.close()
      await (await openLevelStore(dir)).close()
    })

    it('DATA_DIR_LOCKED while another process has the directory', async () => {
      const child = spawn(process.execPath, [CHILD, dir, 'never'], { stdio: ['ignore', 'pipe', 'inherit'] })
      await once(createInterface({ input: child.stdout }), 'line')
      await refuses('DATA_DIR_LOCKED')
      const ended = once(child, 'close')
      child.kill('SIGKILL')
      await ended
    })

    it('DATA_DIR_UNWRITABLE for a directory that cannot be made', async () => {
      await writeFile(join(dir, 'file'), 'not a directory')
      await refuses('DATA_DIR_UNWRITABLE', join(dir, 'file', 'store'))
    })
  })

  describe('damage', () => {
    beforeEach(async () => {
      const store = await openLevelStore(dir)
      const value = Buffer.alloc(1000, 'x')
      for (let i = 0; i < 100; i++) store.append([{ type: 'put', key: `k${i}`, value }])
      await store.close()
      // Opening again moves what the log holds into a table file.
      await (await openLevelStore(dir)).close()
    })

    it('STORE_CORRUPT when CURRENT holds garbage', async () => {
      for (const garbage of ['', 'garbage', 'MANIFEST-999999\n', '\0\0\0\n']) {
        await writeFile(join(dir, 'CURRENT'), garbage)
        await refuses('STORE_CORRUPT')
      }
    })

    it('STORE_CORRUPT when CURRENT is missing, instead of beginning anew', async () => {
      await rm(join(dir, 'CURRENT'))
      const before = (await readdir(dir)).sort()
      await refuses('STORE_CORRUPT')
      await refuses('STORE_CORRUPT')
      assert.deepEqual((await readdir(dir)).sort(), before)
    })

    it('STORE_CORRUPT when the manifest holds garbage', async () => {
      const [manifest = ''] = await filesOf(/^MANIFEST/)
      const { length } = await readFile(manifest)
      await writeFile(manifest, Buffer.alloc(length, 0xa5))
      await refuses('STORE_CORRUPT')
    })

    it('STORE_CORRUPT when a table file is missing', async () => {
      for (const table of await filesOf(/\.ldb$/)) await rm(table)
      await refuses('STORE_CORRUPT')
    })

    it('STORE_CORRUPT when a table file holds garbage, at the latest when it is read', async () => {
      for (const table of await filesOf(/\.ldb$/)) {
        const { length } = await readFile(table)
        await writeFile(table, Buffer.alloc(length, 0xa5))
      }
      await assert.rejects(
        async () => {
          const store = await openLevelStore(dir)
          try {
            await assert.rejects(store.get('k1'), isFault('STORE_CORRUPT', dir))
            await numbersOf(store, 'k')
          } finally {
            await store.close()
          }
        },
        isFault('STORE_CORRUPT', dir),
      )
    })
  })

  async function filesOf(pattern: RegExp): Promise<string[]> {
    return (await readdir(dir)).filter(file => pattern.test(file)).map(file => join(dir, file))
  }

  async function refuses(code: ErrorCode, at = dir): Promise<void> {
    await assert.rejects(
      async () => {
        await (await openLevelStore(at)).close()
      },
      isFault(code, at),
    )
  }
})

/** The highest committed sequence that a child printed before it was killed. */
async function lastCommitOf(child: ChildProcess): Promise<number> {
  const closed = once(child, 'close')
  const lines = await linesOf(child)
  assert.deepEqual(await closed, [null, 'SIGKILL'])
  const committed = Number(lines.at(-1)?.split(' ')[1])
  assert.ok(committed > 0)
  return committed
}

/** Every whole line the child prints until its end. */
async function linesOf(child: ChildProcess): Promise<string[]> {
  assert.ok(child.stdout)
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
  }
  return lines
}

async function numbersOf(store: LevelStore, prefix: string): Promise<Set<number>> {
  const numbers = new Set<number>()
  for await (const [key] of store.range(prefix)) numbers.add(Number(key.slice(prefix.length)))
  return numbers
}

function isFault(code: ErrorCode, dir: string): (error: unknown) => boolean {
  return error => {
    assert.ok(error instanceof GrapevineError, String(error))
    assert.equal(error.code, code, error.message)
    assert.ok(error.message.includes(dir), error.message)
    assert.ok(!error.message.includes('\n'))
    return true
  }
}
