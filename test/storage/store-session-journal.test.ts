import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { GrapevineError } from '../../src/core/errors.ts'
import type { Store, StoreOperation } from '../../src/core/ports/store.ts'
import { VirtualClock } from '../../sim/ports/virtual-clock.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import type { StoreSessionJournal } from '../../src/storage/store-session-journal.ts'
import { loaded, message, session, subscription, will } from '../contract/session-journal-contract.ts'
import { openLevelStore, sessionJournal, temporaryDir } from './harnesses.ts'

describe('StoreSessionJournal', function () {
  this.timeout(60_000)

  describe('on a damaged store', () => {
    for (const [what, key] of [
      ['session', 'session/a%2Fb/0'],
      ['subscription', 'session/a%2Fb/1/x/y'],
      ['queued message', 'session/a%2Fb/2/0000000000000007'],
      ['released message', 'session/a%2Fb/2/0000000000000008'],
      ['received identifier', 'session/a%2Fb/3/65535'],
      ['will', 'session/a%2Fb/4'],
      ['known publication', 'session/a%2Fb/5/3-9'],
    ] as const) {
      it(`fails with STORE_CORRUPT naming the key when a byte of a ${what} was flipped`, async () => {
        const dir = await temporaryDir()
        const store = await openLevelStore(dir)
        try {
          write(sessionJournal(store))
          await store.flush()
          const record = Buffer.from((await store.get(key)) ?? assert.fail(`nothing at ${key}`))
          record[4] = (record[4] ?? 0) ^ 1
          store.append([{ type: 'put', key, value: record }])
          await store.flush()
          await assert.rejects(loaded(sessionJournal(store)), isCorrupt(key))
        } finally {
          await store.close()
          await rm(dir, { recursive: true })
        }
      })
    }

    it('fails with STORE_CORRUPT when the session of a row is missing', async () => {
      const { store, commit } = memory()
      write(sessionJournal(store))
      await commit([{ type: 'del', key: 'session/a%2Fb/0' }])
      await assert.rejects(loaded(sessionJournal(store)), isCorrupt('session/a%2Fb/1/x/y'))
    })

    it('fails with STORE_CORRUPT for keys no journal writes', async () => {
      for (const key of [
        'session/',
        'session/a',
        'session/a/',
        'session/a/3',
        'session/a/3/x',
        'session/a/4/',
        'session/a/5',
        'session/a/5/3',
        'session/a/2/7',
        'session/%/0',
      ]) {
        const { store, commit } = memory()
        await commit([{ type: 'put', key, value: Buffer.from('x') }])
        await assert.rejects(loaded(sessionJournal(store)), isCorrupt(key))
      }
    })
  })

  it('leaves keys of others in the store alone', async () => {
    const { store, commit } = memory()
    await commit([{ type: 'put', key: 'sessions', value: Buffer.from('x') }])
    assert.deepEqual(await loaded(sessionJournal(store)), [])
  })

  it('leaves no key behind when sessions are deleted', async () => {
    const { store, commit } = memory()
    const journal = sessionJournal(store)
    write(journal)
    journal.dequeue('a/b', 7)
    journal.enqueue('a/b', message(9))
    journal.deleteSession('a/b')
    await commit([{ type: 'put', key: 'other', value: Buffer.from('x') }])
    const keys: string[] = []
    for await (const [key] of store.range('')) keys.push(key)
    assert.deepEqual(keys, ['other'])
  })

  it('refuses rows for a session it does not have, which could not be loaded again', () => {
    const { store } = memory()
    const journal = sessionJournal(store)
    assert.throws(() => journal.putSubscription('c', subscription('a')))
    assert.throws(() => journal.enqueue('c', message(1)))
    assert.throws(() => journal.release('c', 1))
    assert.throws(() => journal.putReceived('c', 1, undefined))
    assert.throws(() => journal.putKnown('c', { id: { incarnation: 3, number: 9 } }))
    assert.throws(() => journal.putWill('c', will()))
    assert.equal(journal.appended, 0)
  })

  it('writes nothing for the deletion of a will that is not there', () => {
    const { store } = memory()
    const journal = sessionJournal(store)
    journal.putSession(session('c'))
    assert.equal(journal.deleteWill('c'), 1)
    assert.equal(journal.deleteWill('unknown'), 1)
    assert.equal(store.appended, 1)
  })

  it('writes nothing of a change that throws halfway', () => {
    const { store } = memory()
    const journal = sessionJournal(store)
    const change = (): void => {
      journal.putSession(session('c'))
      throw new Error('halfway')
    }
    assert.throws(() => {
      journal.atomically(change)
    }, /halfway/)
    assert.deepEqual([store.appended, journal.appended], [0, 0])
  })

  it('refuses to nest atomically', () => {
    const journal = sessionJournal(memory().store)
    const nest = (): void => {
      journal.atomically(() => undefined)
    }
    assert.throws(() => {
      journal.atomically(nest)
    }, /nested/)
  })

  it('hands sessions out one at a time while it reads', async () => {
    const { store, commit } = memory()
    const journal = sessionJournal(store)
    for (const clientId of ['a', 'b', 'c']) journal.putSession(session(clientId))
    // The last one is damaged: the first two have come before that shows.
    await commit([{ type: 'put', key: 'session/c/0', value: Buffer.from('x') }])
    const seen: string[] = []
    await assert.rejects(async () => {
      for await (const stored of sessionJournal(store).load()) seen.push(stored.session.clientId)
    }, isCorrupt('session/c/0'))
    assert.deepEqual(seen, ['a', 'b'])
  })

  it('restores 1,000 sessions with 10 messages each', async () => {
    const dir = await temporaryDir()
    try {
      const first = await openLevelStore(dir)
      const journal = sessionJournal(first)
      for (let i = 0; i < 1000; i++) {
        const clientId = `client-${i}`
        journal.putSession(session(clientId))
        for (let s = 0; s < 5; s++) journal.putSubscription(clientId, subscription(`devices/${i}/${s}/#`))
        for (let position = 1; position <= 10; position++) journal.enqueue(clientId, message(position))
      }
      await first.close()
      const beganMs = performance.now()
      const again = await openLevelStore(dir)
      const sessions = await loaded(sessionJournal(again))
      const tookMs = performance.now() - beganMs
      await again.close()
      assert.equal(sessions.length, 1000)
      for (const { subscriptions, queue } of sessions) {
        assert.equal(subscriptions.length, 5)
        assert.deepEqual(
          queue.map(({ position }) => position),
          [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        )
      }
      console.log(`        opened and loaded in ${tookMs.toFixed(0)} ms`)
    } finally {
      await rm(dir, { recursive: true })
    }
  })
})

/** One session with one of everything it can have. */
function write(journal: StoreSessionJournal): void {
  journal.putSession(session('a/b'))
  journal.putSubscription('a/b', subscription('x/y'))
  journal.enqueue('a/b', message(7))
  journal.enqueue('a/b', message(8))
  journal.release('a/b', 8)
  journal.putReceived('a/b', 65_535, undefined)
  journal.putKnown('a/b', { id: { incarnation: 3, number: 9 } })
  journal.putWill('a/b', will())
}

function memory(): { store: Store; commit: (batch: readonly StoreOperation[]) => Promise<void> } {
  const clock = new VirtualClock()
  const store = new MemoryStore({ clock })
  const commit = async (batch: readonly StoreOperation[]): Promise<void> => {
    store.append(batch)
    await clock.advance(1)
  }
  return { store, commit }
}

function isCorrupt(key: string): (error: unknown) => boolean {
  return error => {
    assert.ok(error instanceof GrapevineError, String(error))
    assert.equal(error.code, 'STORE_CORRUPT')
    assert.ok(error.message.includes(JSON.stringify(key)), error.message)
    return true
  }
}
