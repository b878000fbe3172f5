import assert from 'node:assert/strict'
import { limits } from '../../src/core/limits.ts'
import { IngressGaps } from '../../src/mqtt/ingress-gaps.ts'

const at = (incarnation: number, number: number): { incarnation: number; number: number } => ({
  incarnation,
  number,
})

describe('IngressGaps', () => {
  it('are what the new node has received and the old owner had not, of each incarnation', () => {
    const gaps = new IngressGaps()
    gaps.open('a', [at(1, 5), at(2, 9)], [at(1, 8), at(2, 9), at(3, 2)])
    const lacking = [5, 6, 8, 9].filter(number => gaps.has(at(1, number)))
    assert.deepEqual([lacking, gaps.has(at(2, 9)), gaps.has(at(3, 1))], [[6, 8], false, true])
  })

  it('end where that owner says that all has followed, and no other', () => {
    const gaps = new IngressGaps()
    gaps.open('a', [at(1, 5)], [at(1, 8)])
    gaps.shrink('b', [at(1, 8)])
    assert.ok(gaps.has(at(1, 7)))
    gaps.shrink('a', [at(1, 7)])
    assert.deepEqual([gaps.has(at(1, 7)), gaps.has(at(1, 8))], [false, true])
    gaps.shrink('a', [at(1, 20)])
    assert.ok(gaps.isEmpty)
  })

  it('do not have what has come since, but what lies around it', () => {
    const gaps = new IngressGaps()
    gaps.open('a', [], [at(1, 3)])
    gaps.fill(at(1, 2))
    assert.deepEqual(
      [1, 2, 3].map(number => gaps.has(at(1, number))),
      [true, false, true],
    )
  })

  it('of the oldest incarnations are forgotten beyond their bound', () => {
    const gaps = new IngressGaps()
    const received = Array.from({ length: limits.gapsMax + 1 }, (_, i) => at(100 - i, 1))
    gaps.open('a', [], received)
    assert.deepEqual([gaps.list().length, gaps.has(at(100 - limits.gapsMax, 1))], [limits.gapsMax, false])
  })
})
