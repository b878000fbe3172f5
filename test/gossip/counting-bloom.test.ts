import assert from 'node:assert/strict'
import bloomFilters from 'bloom-filters'
import fc from 'fast-check'
import { bloomBitsAfter, bloomBitsFor } from '../../gossip/bloom-sizing.ts'
import { BloomRebuild } from '../../gossip/bloom-rebuild.ts'
import { CountingBloom } from '../../gossip/counting-bloom.ts'
import { HASH_POSITIONS, positionChecksum, positionsOf, TopicHasher } from '../../src/core/interest-hash.ts'

const hasher = new TopicHasher('test')

function add(bloom: CountingBloom, filter: string): void {
  hasher.hash(filter)
  bloom.add(hasher.low, hasher.high)
}

function remove(bloom: CountingBloom, filter: string): number {
  hasher.hash(filter)
  return bloom.remove(hasher.low, hasher.high)
}

function positions(bloom: CountingBloom): number[] {
  const found: number[] = []
  for (let index = 0; index < bloom.checksums.length; index++) {
    bloom.segment(index).forEach((word, i) => {
      for (let bit = 0; bit < 32; bit++) if ((word >>> bit) & 1) found.push(index * 32_768 + i * 32 + bit)
    })
  }
  return found
}

function positionsOfFilters(filters: Iterable<string>, bits: number): Set<number> {
  const all = new Set<number>()
  const into = new Uint32Array(HASH_POSITIONS)
  for (const filter of filters) {
    hasher.hash(filter)
    positionsOf(hasher.low, hasher.high, 2 ** bits - 1, into)
    for (const position of into) all.add(position)
  }
  return all
}

describe('CountingBloom', () => {
  it('holds the positions of its filters and no others, with their checksums, whatever came and went', () => {
    const change = fc.record({ name: fc.nat(30), isAdd: fc.boolean() })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 200 }), changes => {
        const bloom = new CountingBloom(16)
        const model = new Set<string>()
        for (const { name, isAdd } of changes) {
          const filter = `filter/${name}`
          if (isAdd === model.has(filter)) continue
          if (isAdd) {
            model.add(filter)
            add(bloom, filter)
          } else {
            model.delete(filter)
            const before = positionsOfFilters([filter], 16)
            const after = positionsOfFilters(model, 16)
            const fallen = [...before].filter(position => !after.has(position)).length
            assert.equal(bitCount(remove(bloom, filter)), fallen)
          }
        }
        const held = positions(bloom)
        assert.deepEqual(new Set(held), positionsOfFilters(model, 16))
        assert.equal(
          bloom.checksum,
          held.reduce((sum, at) => (sum + positionChecksum(at)) >>> 0, 0),
        )
        assert.equal(
          bloom.checksum,
          bloom.checksums.reduce((sum, of) => (sum + of) >>> 0, 0),
        )
      }),
    )
  })

  it('never clears a position whose count it has lost', () => {
    const bloom = new CountingBloom(15)
    for (let i = 0; i < 20; i++) add(bloom, 'often')
    for (let i = 0; i < 20; i++) assert.equal(remove(bloom, 'often'), 0)
    assert.deepEqual(new Set(positions(bloom)), positionsOfFilters(['often'], 15))
  })

  it('says yes too often not much more than a bloom filter of `bloom-filters` of its size', () => {
    const count = 20_000
    const bloom = new CountingBloom(bloomBitsFor(count))
    const oracle = new bloomFilters.BloomFilter(2 ** bloom.bits, HASH_POSITIONS)
    for (let i = 0; i < count; i++) {
      add(bloom, `site/${i}/state`)
      oracle.add(`site/${i}/state`)
    }
    const held = new Set(positions(bloom))
    let own = 0
    let oracles = 0
    for (let i = 0; i < 20_000; i++) {
      const topic = `elsewhere/${i}`
      if ([...positionsOfFilters([topic], bloom.bits)].every(position => held.has(position))) own++
      if (oracle.has(topic)) oracles++
    }
    for (let i = 0; i < count; i += 97) {
      for (const position of positionsOfFilters([`site/${i}/state`], bloom.bits))
        assert.ok(held.has(position))
    }
    assert.ok(own <= oracles * 1.5 + 20, `${own} false answers, ${oracles} of the oracle`)
  }).timeout(60_000)

  it('has room for the filters of a node of the target size, and grows and shrinks with hysteresis', () => {
    assert.deepEqual([bloomBitsFor(0), bloomBitsFor(500_000), bloomBitsFor(5_000_000)], [15, 23, 26])
    assert.equal(bloomBitsFor(100_000_000), 26)
    assert.equal(bloomBitsAfter(23, 500_000), 23)
    assert.equal(bloomBitsAfter(23, 1_000_000), 24)
    assert.equal(bloomBitsAfter(23, 100_000), 23)
    assert.equal(bloomBitsAfter(23, 1_000), 15)
  })
})

describe('BloomRebuild', () => {
  it('ends with the filters there are then, not with those it began with', () => {
    const filters = Array.from({ length: 12_000 }, (_, i) => `site/${i}`)
    const present = new Set(filters)
    const rebuild = new BloomRebuild(18, filters, hasher)
    for (let turn = 0; !rebuild.step(); turn++) {
      for (const [filter, isAdd] of [
        [`site/${turn}`, false],
        [`site/${11_000 + turn}`, false],
        [`new/${turn}`, true],
      ] as const) {
        if (isAdd) present.add(filter)
        else present.delete(filter)
        hasher.hash(filter)
        rebuild.changed(hasher.low, hasher.high, isAdd)
      }
    }
    assert.deepEqual(new Set(positions(rebuild.bloom)), positionsOfFilters(present, 18))
  })
})

function bitCount(mask: number): number {
  return mask.toString(2).replaceAll('0', '').length
}
