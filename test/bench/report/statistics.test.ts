import assert from 'node:assert/strict'
import { median, medians, typicalRow } from '../../../bench/report/statistics.ts'

describe('bench statistics', () => {
  it('takes the middle of an odd and the mean of an even count', () => {
    assert.equal(median([9, 1, 5]), 5)
    assert.equal(median([4, 1, 3, 2]), 2.5)
    assert(Number.isNaN(median([])))
  })

  it('takes each metric over the runs that have it', () => {
    assert.deepEqual(medians([{ a: 1, b: 7 }, { a: 3 }, { a: 2 }]), { a: 2, b: 7 })
  })

  it('picks the run next to the median', () => {
    const rows = [10, 50, 30].map(value => ({ metrics: { p99Ms: value } }))
    assert.equal(typicalRow(rows, 'p99Ms')?.metrics.p99Ms, 30)
  })
})
