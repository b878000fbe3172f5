import assert from 'node:assert/strict'
import { PayloadCache } from '../../routing/payload-cache.ts'

const stamp = { time: 5, incarnation: 1 }

describe('PayloadCache', () => {
  it('never holds more than its bytes: what was not used for longest goes', () => {
    const cache = new PayloadCache(100)
    for (const topic of ['a', 'b', 'c']) cache.set(topic, stamp, new Uint8Array(33))
    cache.get('a', stamp)
    cache.set('d', stamp, new Uint8Array(30))
    assert.equal(cache.byteCount, 96)
    assert.equal(cache.get('b', stamp), undefined)
    assert.deepEqual(
      ['a', 'c', 'd'].map(topic => cache.get(topic, stamp)?.length),
      [33, 33, 30],
    )
  })

  it('does not take what is larger than all of it, and counts a replaced payload once', () => {
    const cache = new PayloadCache(100)
    cache.set('a', stamp, new Uint8Array(60))
    cache.set('b', stamp, new Uint8Array(101))
    cache.set('a', stamp, new Uint8Array(70))
    assert.equal(cache.byteCount, 70)
    cache.delete('a')
    assert.equal(cache.byteCount, 0)
  })

  it('gives a payload for the very message it is of only', () => {
    const cache = new PayloadCache(100)
    cache.set('a', stamp, Uint8Array.of(1))
    assert.equal(cache.get('a', { ...stamp, time: 6 }), undefined)
    assert.equal(cache.get('a', { ...stamp, incarnation: 2 }), undefined)
    assert.deepEqual(cache.get('a', { ...stamp }), Uint8Array.of(1))
  })
})
