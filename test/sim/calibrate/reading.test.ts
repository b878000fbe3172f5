import assert from 'node:assert/strict'
import { constantOf } from '../../../sim/calibrate/reading.ts'

describe('constantOf', () => {
  it('takes the median of the runs and says how far they were apart', () => {
    const constant = constantOf({ name: 'etcd.writeMsP50', runs: [1.2345, 0.9, 30], how: '200/s' })
    assert.deepEqual(constant, { value: 1.23, origin: 'measured', how: '200/s; 3 runs, 0.9 to 30' })
  })

  it('refuses what is no cost: the experiment went wrong', () => {
    assert.throws(
      () => constantOf({ name: 'etcd.writeMsP50', runs: [-1, -2, 3], how: '' }),
      /came out as -1, -2, 3/,
    )
    assert.throws(() => constantOf({ name: 'etcd.writeMsP50', runs: [], how: '' }), /came out as/)
  })
})
