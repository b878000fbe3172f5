import assert from 'node:assert/strict'
import { errorPercent, isWithin, type Comparison } from '../../../sim/calibrate/comparison.ts'

const delay: Comparison = {
  subject: 'etcd',
  what: 'a delay',
  unit: 'ms',
  model: 10,
  real: 10,
  tolerance: { better: 0, worse: 0.5 },
}

describe('isWithin', () => {
  it('takes a model that is slower than the real thing by no more than stated', () => {
    assert.equal(isWithin({ ...delay, model: 15 }), true)
    assert.equal(isWithin({ ...delay, model: 15.1 }), false)
  })

  it('refuses a model that is faster than the real thing where nothing better is allowed', () => {
    assert.equal(isWithin({ ...delay, model: 9.9 }), false)
    assert.equal(isWithin({ ...delay, model: 9.9, tolerance: { better: 0.1, worse: 0.5 } }), true)
  })

  it('takes more throughput for better, unlike more of anything else', () => {
    const rate: Comparison = { ...delay, unit: '/s' }
    assert.equal(isWithin({ ...rate, model: 11 }), false)
    assert.equal(isWithin({ ...rate, model: 6 }), true)
    assert.equal(isWithin({ ...rate, model: 4 }), false)
  })

  it('sees no difference below the floor', () => {
    assert.equal(
      isWithin({ ...delay, model: 0.4, real: 1.3, tolerance: { better: 0, worse: 0, floor: 1 } }),
      true,
    )
    assert.equal(
      isWithin({ ...delay, model: 0.2, real: 1.3, tolerance: { better: 0, worse: 0, floor: 1 } }),
      false,
    )
  })

  it('is never content with a figure that is none', () => {
    assert.equal(isWithin({ ...delay, real: Number.NaN }), false)
    assert.equal(isWithin({ ...delay, model: Number.POSITIVE_INFINITY }), false)
  })
})

describe('errorPercent', () => {
  it('is above 0 where the model says more', () => {
    assert.equal(errorPercent({ ...delay, model: 15 }), 50)
    assert.equal(errorPercent({ ...delay, model: 5 }), -50)
  })
})
