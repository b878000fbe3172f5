import assert from 'node:assert/strict'
import { readPauses } from '../../../sim/calibrate/compare-gossip.ts'

const lightly = { p50: 3, p95: 500, cores: 0.1 }

describe('readPauses', () => {
  it('takes twice what is late, by the number of nodes, where there are changes enough', () => {
    // 5 and 20 nodes, each at the higher rate and at the lower one.
    const real = [{ p50: 3, p95: 5, cores: 0.1 }, lightly, { p50: 10, p95: 18, cores: 0.3 }, lightly]
    const { runs } = readPauses([real])
    assert.equal(runs.length, 1)
    assert.ok(Math.abs(runs[0]! - (2 * (5 * 2 + 20 * 8)) / (25 + 400)) < 1e-9, String(runs[0]))
  })
})
