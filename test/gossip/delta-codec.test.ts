import assert from 'node:assert/strict'
import fc from 'fast-check'
import { applyExactChanges, decodeDelta, encodeDeltas, ExactChanges } from '../../gossip/delta-codec.ts'
import type { InterestDelta } from '../../gossip/delta-codec.ts'
import { limits } from '../../src/core/limits.ts'

type Exact = { low: number; high: number; fallen: number | undefined }

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const exactChange = fc.record(
  { low: int32, high: int32, fallen: fc.option(fc.nat(127), { nil: undefined }) },
  { noNullPrototype: true },
)
const filter = fc.string({ minLength: 1, maxLength: 50, unit: 'grapheme' })
const pattern = fc.oneof(
  fc.record({ group: fc.constant(''), filter, members: fc.nat(1) }, { noNullPrototype: true }),
  fc.record(
    { group: fc.stringMatching(/^[^/]{1,20}$/), filter, members: fc.nat(2 ** 31) },
    { noNullPrototype: true },
  ),
)
const delta = fc
  .record({
    nodeId: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
    incarnation: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    firstSequence: fc.integer({ min: 1, max: 2 ** 52 }),
    generation: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
    changes: fc.array(exactChange, { maxLength: 40 }),
    patterns: fc.array(pattern, { maxLength: 40 }),
  })
  .filter(({ changes, patterns }) => changes.length + patterns.length > 0)
  .map(original => ({ ...original, exact: encodeExact(original.changes) }))

function encodeExact(changes: readonly Exact[]): ExactChanges {
  const exact = new ExactChanges()
  for (const { low, high, fallen } of changes) {
    if (fallen === undefined) exact.added(low, high)
    else exact.removed(low, high, fallen)
  }
  return exact
}

function decodeExact({ exact }: InterestDelta): Exact[] {
  const changes: Exact[] = []
  applyExactChanges(exact, {
    addExact: (low, high) => changes.push({ low, high, fallen: undefined }),
    removeExact: (low, high, fallen) => changes.push({ low, high, fallen }),
  })
  return changes
}

describe('delta codec', () => {
  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(delta, original => {
        const [message, ...more] = encodeDeltas(original)
        assert.deepEqual(more, [])
        const decoded = decodeDelta(message as Uint8Array)
        assert.ok(decoded !== undefined)
        const { nodeId, incarnation, firstSequence, generation, patterns } = decoded
        const count = original.changes.length + original.patterns.length
        assert.equal(decoded.lastSequence, firstSequence + count - 1)
        assert.deepEqual(
          { nodeId, incarnation, firstSequence, generation, patterns, changes: decodeExact(decoded) },
          {
            nodeId: original.nodeId,
            incarnation: original.incarnation,
            firstSequence: original.firstSequence,
            generation: original.generation,
            patterns: original.patterns,
            changes: original.changes,
          },
        )
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
    const encode = (text: string): Uint8Array => {
      const patterns = [{ group: '', filter: text, members: 1 }]
      return encodeDeltas({ ...someDelta, exact: new ExactChanges(), patterns })[0] as Uint8Array
    }
    const bad = Uint8Array.from(encode('ab'))
    bad.set([0xc0, 0x80], bad.length - 2) // an overlong NUL
    assert.equal(decodeDelta(bad), undefined)
    assert.equal(decodeDelta(encode('\ufeffa'))?.patterns[0]?.filter, '\ufeffa')
  })

  it('splits at the size limit without losing or reordering a change', () => {
    const changes = Array.from({ length: 40_000 }, (_, i) => ({
      low: i,
      high: -i - 1,
      fallen: i % 2 === 0 ? i % 128 : undefined,
    }))
    const patterns = Array.from({ length: 20 }, (_, i) => ({
      group: '',
      filter: `${i}/+/`.padEnd(65_535, 'x'),
      members: 1,
    }))
    const messages = encodeDeltas({ ...someDelta, exact: encodeExact(changes), patterns })
    assert.ok(messages.every(({ length }) => length <= limits.gossipMessageBytesMax))
    const read = messages.map(message => decodeDelta(message) as InterestDelta)
    let next = someDelta.firstSequence
    for (const { firstSequence, lastSequence } of read) {
      assert.equal(firstSequence, next)
      next = lastSequence + 1
    }
    assert.equal(next, someDelta.firstSequence + changes.length + patterns.length)
    assert.deepEqual(read.flatMap(decodeExact), changes)
    assert.deepEqual(
      read.flatMap(decoded => decoded.patterns),
      patterns,
    )
  })
})

const someDelta = { nodeId: 'node-1', incarnation: 5, firstSequence: 10, generation: 2 }
