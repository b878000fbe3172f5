import assert from 'node:assert/strict'
import fc from 'fast-check'
import { KeyValueState } from '../../../coordination/embedded/key-value-state.ts'
import { WatchHub } from '../../../coordination/embedded/watch-hub.ts'
import type { CoordinationEntry } from '../../../src/core/ports/coordination-store.ts'

describe('KeyValueState', () => {
  const value = new Uint8Array()
  const put = (state: KeyValueState, key: string): void => {
    state.transact({ compare: [], success: [{ type: 'put', key, value }], failure: [] })
  }

  it('answers ranges like a plain map sorted by UTF-8, over any puts and deletes', () => {
    const key = fc.string({
      unit: fc.constantFrom('a', 'b', '/', 'é', '\uffee', '😀'),
      minLength: 1,
      maxLength: 6,
    })
    const step = fc.record({ key, isPut: fc.boolean() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), key, (steps, prefix) => {
        const state = new KeyValueState()
        const model = new Set<string>()
        for (const { key, isPut } of steps) {
          if (isPut) model.add(key)
          else model.delete(key)
          const operation = isPut ? { type: 'put' as const, key, value } : { type: 'delete' as const, key }
          state.transact({ compare: [], success: [operation], failure: [] })
        }
        const expected = [...model]
          .filter(member => member.startsWith(prefix))
          .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        assert.deepEqual(
          state.range(prefix).map(entry => entry.key),
          expected,
        )
      }),
    )
  })

  it('keeps thousands of keys in order', () => {
    const state = new KeyValueState()
    const keys = Array.from({ length: 5000 }, (_, i) => `k${(i * 7919) % 5000}`)
    for (const key of keys) put(state, key)
    assert.deepEqual(
      state.range('k').map(entry => entry.key),
      [...keys].sort(),
    )
    for (const key of keys.slice(0, 4990)) {
      state.transact({ compare: [], success: [{ type: 'delete', key }], failure: [] })
    }
    assert.deepEqual(
      state.range('k').map(entry => entry.key),
      keys.slice(4990).sort(),
    )
  })

  it('answers the changes after a revision while its history reaches back, and none beyond its bound', () => {
    const state = new KeyValueState([], 1, 10)
    for (let i = 0; i < 30; i++) put(state, `k${i}`)
    const recent = state.changesBetween(state.revision - 10, state.revision)
    assert.deepEqual(
      recent?.map(change => change.revision),
      Array.from({ length: 10 }, (_, i) => state.revision - 9 + i),
    )
    assert.equal(state.changesBetween(state.revision - 11, state.revision), undefined)
    assert.deepEqual(state.changesBetween(state.revision, state.revision), [])
  })

  it('resets a watcher that has fallen behind the history', () => {
    const state = new KeyValueState([], 1, 10)
    const hub = new WatchHub(state)
    const resets: (readonly CoordinationEntry[])[] = []
    let events = 0
    const watch = hub.add('k', {
      onReset: entries => resets.push(entries),
      onEvents: told => (events += told.length),
    })
    watch.start()
    for (let i = 0; i < 30; i++) put(state, `k${i}`)
    hub.tell(state.revision)
    assert.deepEqual([resets.length, resets[1]?.length, events], [2, 30, 0])
    put(state, 'k30')
    hub.tell(state.revision)
    assert.equal(events, 1)
  })

  it('resets a watcher that needs what was compacted, and no other', () => {
    const state = new KeyValueState()
    const hub = new WatchHub(state)
    const told: string[] = []
    const watch = (name: string): void => {
      const watcher = {
        onReset: (entries: readonly CoordinationEntry[]) => told.push(`${name} reset ${entries.length}`),
        onEvents: (events: readonly unknown[]) => told.push(`${name} events ${events.length}`),
      }
      hub.add('k', watcher).start()
    }
    watch('behind')
    put(state, 'k1')
    put(state, 'k2')
    watch('abreast')
    told.length = 0
    put(state, 'k3')
    assert.equal(state.compact(state.revision), undefined)
    hub.tell(state.revision)
    assert.deepEqual(told, ['behind reset 3', 'abreast events 1'])
    assert.match(state.compact(state.revision + 1)?.refused ?? '', /future/)
  })

  it('knows the bytes of its keys and values, over puts, replacements and deletes', () => {
    const state = new KeyValueState()
    const write = (key: string, bytes: number): void => {
      const operation = { type: 'put' as const, key, value: new Uint8Array(bytes) }
      state.transact({ compare: [], success: [operation], failure: [] })
    }
    write('é', 10)
    write('b', 5)
    assert.equal(state.sizeBytes, 18)
    write('é', 3)
    assert.equal(state.sizeBytes, 11)
    state.transact({ compare: [], success: [{ type: 'delete', key: 'é' }], failure: [] })
    assert.equal(state.sizeBytes, 6)
  })

  it('expires only leases whose time has run out', () => {
    const state = new KeyValueState()
    state.grantLease('1', 1000, 0)
    state.grantLease('2', 2000, 0)
    state.transact({
      compare: [],
      success: [
        { type: 'put', key: 'a', value, leaseId: '1' },
        { type: 'put', key: 'b', value, leaseId: '2' },
      ],
      failure: [],
    })
    assert.equal(state.nextExpiryMs, 1000)
    state.expireLeases(999)
    assert.equal(state.range('').length, 2)
    state.expireLeases(1000)
    assert.deepEqual(
      state.range('').map(entry => entry.key),
      ['b'],
    )
    assert.equal(state.nextExpiryMs, 2000)
  })
})
