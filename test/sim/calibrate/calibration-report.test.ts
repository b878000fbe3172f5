import assert from 'node:assert/strict'
import { calibrationReport } from '../../../sim/calibrate/calibration-report.ts'
import type { Comparison } from '../../../sim/calibrate/comparison.ts'
import { shippedConstants } from '../../../sim/constants/constants.ts'
import { reportText } from '../../../sim/report/report-text.ts'

const comparison: Comparison = {
  subject: 'gossip',
  what: 'a change on all of 20 nodes: p99',
  unit: 'ms',
  model: 120,
  real: 100,
  tolerance: { better: 0, worse: 0.5 },
}

function textOf(comparisons: readonly Comparison[]): string {
  return reportText(calibrationReport({ constants: shippedConstants, comparisons }))
}

describe('calibrationReport', () => {
  it('shows every constant with the one that is shipped, and when and where it was measured', () => {
    const text = textOf([])
    for (const name of Object.keys(shippedConstants.values)) assert.ok(text.includes(name), name)
    assert.ok(text.includes(`${shippedConstants.measuredOn}, ${shippedConstants.machine}`))
  })

  it('shows model, real, error and what was stated, and marks what is outside', () => {
    assert.match(textOf([comparison]), /20 nodes: p99 +ms +120 +100 +20 % +0 % better, 50 % worse +✓ within/)
    assert.match(textOf([{ ...comparison, model: 99 }]), /✗ outside/)
    assert.match(textOf([{ ...comparison, model: 99 }]), /1 are outside the error stated|1 is outside/)
  })
})
