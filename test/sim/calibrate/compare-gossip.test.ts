import assert from 'node:assert/strict'
import { readPauses } from '../../../sim/calibrate/compare-gossip.ts'

const other = { p50: 3, p95: 500, cores: 0.1 }

describe('readPauses', () => {
  it('takes twice what is late on five nodes, by node, and leaves twenty to be predicted', () => {
    // 5 and 20 nodes, each at the higher rate and at the lower one.
    const { runs } = readPauses([[{ p50: 3, p95: 5, cores: 0.1 }, other, other, other]])
    assert.deepEqual(runs, [0.8])
  })
})
