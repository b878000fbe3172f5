import assert from 'node:assert/strict'
import fc from 'fast-check'
import { decodeDelta, encodeDeltas, gossipMessageId } from '../../gossip/delta-codec.ts'
import { filterHash } from '../../gossip/filter-hash.ts'
import { limits } from '../../src/core/limits.ts'

const filter = fc.string({ minLength: 1, maxLength: 50, unit: 'grapheme' })
const change = fc.record({ isAdd: fc.boolean(), filter })
const delta = fc.record({
  nodeId: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
  incarnation: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  firstSequence: fc.integer({ min: 1, max: 2 ** 52 }),
  changes: fc.array(change, { minLength: 1, maxLength: 40 }),
})

describe('delta codec', () => {
  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(delta, original => {
        const [message, ...more] = encodeDeltas(original)
        assert.deepEqual(more, [])
        const changes = original.changes.map(({ isAdd, filter }) => {
          const bytes = new TextEncoder().encode(filter)
          return { isAdd, filter, hash: filterHash(bytes, 0, bytes.length) }
        })
        assert.deepEqual(decodeDelta(message as Uint8Array), { ...original, changes })
      }),
    )
  })

  it('refuses every proper prefix, and anything appended', () => {
    fc.assert(
      fc.property(delta, fc.nat(), (original, at) => {
        const message = encodeDeltas(original)[0] as Uint8Array
        assert.equal(decodeDelta(message.subarray(0, at % message.length)), undefined)
        assert.equal(decodeDelta(Uint8Array.of(...message, 0)), undefined)
      }),
    )
  })

  it('never throws, whatever it is given', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), bytes => void decodeDelta(bytes)))
    fc.assert(
      fc.property(delta, fc.nat(), fc.nat(255), (original, at, byte) => {
        const message = encodeDeltas(original)[0] as Uint8Array
        message[at % message.length] = byte
        decodeDelta(message)
      }),
    )
  })

  it('refuses filters that are not UTF-8, and keeps a byte order mark', () => {
    const [good] = encodeDeltas({ ...someDelta, changes: [{ isAdd: true, filter: 'ab' }] })
    const bad = Uint8Array.from(good as Uint8Array)
    bad.set([0xc0, 0x80], bad.length - 2) // an overlong NUL
    assert.equal(decodeDelta(bad), undefined)
    const marked = encodeDeltas({
      ...someDelta,
      changes: [{ isAdd: true, filter: '\ufeffa' }],
    })[0] as Uint8Array
    assert.equal(decodeDelta(marked)?.changes[0]?.filter, '\ufeffa')
  })

  it('splits at the size limit without losing or reordering a change', () => {
    const changes = Array.from({ length: 20 }, (_, i) => ({
      isAdd: i % 2 === 0,
      filter: `${i}`.padEnd(65_535, 'x'),
    }))
    const messages = encodeDeltas({ ...someDelta, changes })
    assert.ok(messages.length > 1)
    assert.ok(messages.every(({ length }) => length <= limits.gossipMessageBytesMax))
    let next = someDelta.firstSequence
    const read = messages.flatMap(message => {
      const decoded = decodeDelta(message)
      assert.equal(decoded?.firstSequence, next)
      next += decoded.changes.length
      return decoded.changes.map(({ isAdd, filter }) => ({ isAdd, filter }))
    })
    assert.deepEqual(read, changes)
  })

  it('gives messages with the same changes different ids, by origin, incarnation and sequence', () => {
    const changes = [{ isAdd: true, filter: 'same' }]
    const ids = [
      someDelta,
      { ...someDelta, nodeId: 'node-2' },
      { ...someDelta, incarnation: 6 },
      { ...someDelta, firstSequence: 11 },
    ].map(origin => {
      const [message] = encodeDeltas({ ...origin, changes })
      return Buffer.from(gossipMessageId(message as Uint8Array)).toString('hex')
    })
    assert.equal(new Set(ids).size, ids.length)
  })
})

const someDelta = { nodeId: 'node-1', incarnation: 5, firstSequence: 10 }
