import assert from 'node:assert/strict'
import type { Store, StoreOperation } from '../../src/core/ports/store.ts'
import { until, type Harness } from './harness.ts'

/** A store that can be closed and opened again on the same content. */
export interface StoreHarness extends Harness<Store> {
  /** Closes the subject; answers a new one on what it kept. */
  reopen(): Promise<Store>
}

/** What every `Store` owes its callers. `makeHarness` gives an empty store. */
export function storeContract(name: string, makeHarness: () => Promise<StoreHarness>): void {
  describe(`${name} keeps the Store contract`, function () {
    this.timeout(30_000)
    let harness: StoreHarness
    let store: Store

    beforeEach(async () => {
      harness = await makeHarness()
      store = harness.subject
    })
    afterEach(() => harness.close())

    const committed = (): Promise<void> =>
      until(harness, 'everything is committed', () => store.committed === store.appended)

    it('numbers batches 1, 2, 3 … and commits them later, not within append', async () => {
      assert.deepEqual([store.appended, store.committed], [0, 0])
      assert.deepEqual(
        [store.append([put('a')]), store.append([put('b'), del('a')]), store.append([del('x')])],
        [1, 2, 3],
      )
      assert.deepEqual([store.appended, store.committed], [3, 0])
      await committed()
      assert.equal(store.committed, 3)
    })

    it('refuses an empty batch without using up a number', () => {
      assert.throws(() => store.append([]))
      assert.equal(store.append([put('a')]), 1)
    })

    it('tells listeners, in the order added, of rising commits that end with the last batch', async () => {
      const told: [string, number][] = []
      store.onCommitted(upTo => {
        assert.equal(upTo, store.committed)
        told.push(['first', upTo])
      })
      store.onCommitted(upTo => told.push(['second', upTo]))
      for (let i = 0; i < 50; i++) {
        store.append([put(`k${i}`)])
        if (i % 10 === 0) await harness.advance(1)
      }
      await committed()
      const commits = told.filter(([listener]) => listener === 'first').map(([, upTo]) => upTo)
      assert.ok(commits.every((upTo, i) => upTo > (commits[i - 1] ?? 0)))
      assert.equal(commits.at(-1), 50)
      assert.deepEqual(
        told,
        commits.flatMap(upTo => [
          ['first', upTo],
          ['second', upTo],
        ]),
      )
    })

    it('takes batches from within a commit listener', async () => {
      store.onCommitted(upTo => {
        if (upTo < 5) store.append([put(`after ${upTo}`)])
      })
      store.append([put('begin')])
      await until(harness, 'the chain of batches', () => store.committed >= 5)
      assert.equal(await text(store, 'after 4'), 'after 4')
    })

    it('reads what is committed and undefined for what is absent or deleted', async () => {
      store.append([put('a'), put('b')])
      store.append([del('a'), { type: 'put', key: 'b', value: Buffer.from('again') }])
      await committed()
      assert.equal(await store.get('a'), undefined)
      assert.equal(await store.get('never'), undefined)
      assert.equal(await text(store, 'b'), 'again')
    })

    it('does not show what has not been committed', async () => {
      store.append([put('a')])
      // Read in the same turn as the append, before any commit can happen.
      const reading = store.get('a')
      assert.equal(store.committed, 0)
      assert.equal(await reading, undefined)
    })

    it('applies the operations of a batch in their order', async () => {
      store.append([put('a'), del('a'), put('b'), { type: 'put', key: 'b', value: Buffer.from('last') }])
      await committed()
      assert.equal(await store.get('a'), undefined)
      assert.equal(await text(store, 'b'), 'last')
    })

    it('keeps names of object properties as keys, any bytes as values, and empty values', async () => {
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
      store.append([put('__proto__'), put('constructor'), { type: 'put', key: 'bytes', value: bytes }])
      store.append([{ type: 'put', key: 'empty', value: new Uint8Array(0) }])
      await committed()
      assert.equal(await text(store, '__proto__'), '__proto__')
      assert.equal(await text(store, 'constructor'), 'constructor')
      assert.equal(await store.get('toString'), undefined)
      assert.deepEqual([...((await store.get('bytes')) ?? [])], [...bytes])
      assert.equal((await store.get('empty'))?.length, 0)
    })

    it('ends with what the last operation on a key says, whether or not the key was new', async () => {
      const last = Buffer.from('last')
      const fresh = (key: string): StoreOperation => ({ ...put(key), isNew: true })
      store.append([put('old'), put('older')])
      await committed()
      store.append([fresh('gone'), fresh('back'), fresh('again'), fresh('twice'), fresh('kept')])
      store.append([del('gone'), del('back'), { type: 'put', key: 'again', value: last }])
      store.append([fresh('back'), del('again'), del('old')])
      // New once more, as its deletion came before; it held a value when this group began.
      store.append([fresh('old')])
      store.append([del('old'), del('twice'), del('older')])
      store.append([fresh('twice'), fresh('older')])
      store.append([del('twice')])
      await committed()
      assert.deepEqual(await keysOf(store, ''), ['back', 'kept', 'older'])
    })

    it('commits batches that leave nothing to write', async () => {
      store.append([{ ...put('a'), isNew: true }])
      const sequence = store.append([del('a')])
      await committed()
      assert.equal(store.committed, sequence)
      assert.deepEqual(await keysOf(store, ''), [])
    })

    it('ranges over exactly the keys with a prefix, in the order of their UTF-8 bytes', async () => {
      const inOrder = [
        'p/',
        'p/\u0001',
        'p/a',
        'p/a/b',
        'p/b',
        'p/é',
        'p/漢',
        'p/\uffee',
        'p/😀',
        'p/\u{10ffff}x',
      ]
      store.append([...inOrder].reverse().map(put))
      store.append([put('p'), put('p.'), put('p0'), put('q/')])
      await committed()
      assert.deepEqual(await keysOf(store, 'p/'), inOrder)
      assert.deepEqual(await keysOf(store, 'p/a'), ['p/a', 'p/a/b'])
      assert.deepEqual(await keysOf(store, 'nothing'), [])
      assert.deepEqual(await keysOf(store, ''), ['p', 'p.', ...inOrder, 'p0', 'q/'])
    })

    it('ranges over the values too, and lets a reader stop early', async () => {
      store.append(Array.from({ length: 3000 }, (_, i) => put(`n${String(i).padStart(4, '0')}`)))
      await committed()
      let seen = 0
      for await (const [key, value] of store.range('n')) {
        assert.equal(Buffer.from(value).toString(), key)
        if (++seen === 1500) break
      }
      assert.equal((await keysOf(store, 'n')).length, 3000)
    })

    it('flush resolves once everything appended before is committed', async () => {
      await store.flush()
      store.append([put('a')])
      store.append([put('b')])
      let isFlushed = false
      const flushing = store.flush().then(() => {
        isFlushed = true
        assert.ok(store.committed >= 2)
      })
      assert.equal(isFlushed, false)
      await until(harness, 'the flush', () => isFlushed)
      await flushing
    })

    it('close commits what was appended; then appends and reads throw, and closing again is fine', async () => {
      const sequence = store.append([put('a')])
      let isClosed = false
      const closing = store.close().then(() => (isClosed = true))
      assert.throws(() => store.append([put('late')]))
      await until(harness, 'the close', () => isClosed)
      await closing
      assert.equal(store.committed, sequence)
      await assert.rejects(store.get('a'))
      await assert.rejects(keysOf(store, ''))
      assert.throws(() => store.append([put('late')]))
      await store.close()
    })

    it('finds everything again when it is opened anew, and numbers from 1', async () => {
      store.append([put('a'), put('b')])
      store.append([del('b'), put('c')])
      const again = await harness.reopen()
      assert.deepEqual([again.appended, again.committed], [0, 0])
      assert.deepEqual(await keysOf(again, ''), ['a', 'c'])
      assert.equal(again.append([put('d')]), 1)
    })
  })
}

/** Opens stores of one kind, one after the other, on the same content. */
export async function makeStoreHarness(
  open: () => Promise<Store>,
  advance: (ms: number) => Promise<void>,
  cleanUp: () => Promise<void> = () => Promise.resolve(),
): Promise<StoreHarness> {
  let store = await open()
  const closeStore = async (): Promise<void> => {
    let isClosed = false
    const closing = store.close().then(() => (isClosed = true))
    await until({ advance }, 'the store closes', () => isClosed)
    await closing
  }
  return {
    subject: store,
    advance,
    reopen: async () => {
      await closeStore()
      store = await open()
      return store
    },
    close: async () => {
      await closeStore()
      await cleanUp()
    },
  }
}

export function put(key: string): StoreOperation & { readonly type: 'put' } {
  return { type: 'put', key, value: Buffer.from(key) }
}

function del(key: string): StoreOperation {
  return { type: 'del', key }
}

async function text(store: Store, key: string): Promise<string | undefined> {
  const value = await store.get(key)
  return value === undefined ? undefined : Buffer.from(value).toString()
}

async function keysOf(store: Store, prefix: string): Promise<string[]> {
  const keys: string[] = []
  for await (const [key] of store.range(prefix)) keys.push(key)
  return keys
}
