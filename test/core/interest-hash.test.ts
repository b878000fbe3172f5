import assert from 'node:assert/strict'
import { HASH_POSITIONS, positionsOf, TopicHasher } from '../../src/core/interest-hash.ts'

/** Texts as alike as topics are. */
function* texts(): Iterable<string> {
  for (let i = 0; i < 60_000; i++) yield `site/${i}/state`
  for (let i = 0; i < 60_000; i++) yield `${i}`
  for (let i = 0; i < 60_000; i++) yield `device/${i % 245}/${Math.floor(i / 245)}`
  for (let i = 0; i < 60_000; i++) yield `${String.fromCharCode(0x4e00 + (i % 256))}/${i >> 8}/é`
}

function hashes(cluster: string): { low: number; high: number }[] {
  const hasher = new TopicHasher(cluster)
  return [...texts()].map(text => {
    hasher.hash(text)
    return { low: hasher.low, high: hasher.high }
  })
}

function count(counts: Uint32Array, at: number): void {
  counts[at] = (counts[at] ?? 0) + 1
}

/** Chi-square over `cells`, in standard deviations from its mean. */
function deviation(counts: Uint32Array, total: number): number {
  const expected = total / counts.length
  const chi = counts.reduce((sum, times) => sum + (times - expected) ** 2 / expected, 0)
  return (chi - counts.length) / Math.sqrt(2 * counts.length)
}

describe('TopicHasher', () => {
  it('spreads topics that are alike evenly, by every byte of both lanes', () => {
    const all = hashes('test')
    for (const lane of ['low', 'high'] as const) {
      for (const shift of [0, 8, 16, 24]) {
        const counts = new Uint32Array(256)
        for (const hash of all) count(counts, (hash[lane] >>> shift) & 255)
        assert.ok(Math.abs(deviation(counts, all.length)) < 5, `${lane} byte ${shift / 8}`)
      }
    }
    const pairs = new Uint32Array(65_536)
    for (const { low, high } of all) count(pairs, ((low & 255) << 8) | (high & 255))
    assert.ok(Math.abs(deviation(pairs, all.length)) < 5, 'the lanes depend on each other')
  }).timeout(20_000)

  it('gives distinct topics distinct hashes, in each lane about as seldom equal as chance has it', () => {
    const all = hashes('test')
    assert.equal(new Set(all.map(({ low, high }) => `${low},${high}`)).size, all.length)
    const expected = all.length ** 2 / 2 ** 33
    for (const lane of ['low', 'high'] as const) {
      const collisions = all.length - new Set(all.map(hash => hash[lane])).size
      assert.ok(collisions < expected + 6 * Math.sqrt(expected), `${collisions} instead of ${expected}`)
    }
  }).timeout(20_000)

  it('hashes the same topic differently in another cluster', () => {
    const [here, there] = [hashes('one'), hashes('two')]
    assert.equal(here.filter(({ low }, i) => low === there[i]?.low).length, 0)
  }).timeout(20_000)

  it('spreads the positions evenly over any size, and a smaller one repeats in a larger', () => {
    const small = new Uint32Array(HASH_POSITIONS)
    const large = new Uint32Array(HASH_POSITIONS)
    const counts = new Uint32Array(2 ** 15)
    const all = hashes('test')
    for (const { low, high } of all) {
      positionsOf(low, high, 2 ** 15 - 1, small)
      positionsOf(low, high, 2 ** 20 - 1, large)
      small.forEach((position, i) => {
        count(counts, position)
        assert.equal((large[i] as number) & (2 ** 15 - 1), position)
      })
    }
    assert.ok(Math.abs(deviation(counts, all.length * HASH_POSITIONS)) < 30) // positions of a filter share a block
    assert.ok(counts.every(times => times > 0))
  }).timeout(20_000)
})
