import assert from 'node:assert/strict'
import { lineThrough, percentile } from '../../../sim/calibrate/regression.ts'

describe('lineThrough', () => {
  it('finds cost per message and cost of being idle from load points', () => {
    const { slope, intercept } = lineThrough([
      [0, 5],
      [50, 105],
      [100, 205],
    ])
    assert.equal(slope, 2)
    assert.equal(intercept, 5)
  })

  it('lies between points that are on no line', () => {
    const { slope, intercept } = lineThrough([
      [0, 0],
      [1, 2],
      [2, 1],
    ])
    assert.equal(slope, 0.5)
    assert.equal(intercept, 0.5)
  })

  it('has no slope where all load points are one', () => {
    assert.ok(Number.isNaN(lineThrough([[1, 1]]).slope))
  })
})

describe('percentile', () => {
  it('takes the value below which that share lies, whatever the order', () => {
    const values = Array.from({ length: 100 }, (_, i) => 100 - i)
    assert.equal(percentile(values, 50), 51)
    assert.equal(percentile(values, 99), 100)
    assert.ok(Number.isNaN(percentile([], 50)))
  })
})
