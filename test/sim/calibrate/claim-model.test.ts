import assert from 'node:assert/strict'
import { modelClaims } from '../../../sim/calibrate/claim-model.ts'
import { storeCosts, type StoreCosts } from '../../../sim/calibrate/queued-store.ts'
import { shippedConstants, type ConstantName } from '../../../sim/constants/constants.ts'

/** A store that does a transaction of one claim in 1 ms and one of 120 in 12.9. */
const costs: StoreCosts = { perTransaction: 0.9, perClaim: 0.1, wayP50: 0, wayP99: 0 }

describe('modelClaims', () => {
  it('carries single claims out one after the other', async () => {
    const { perSecond, p50 } = await modelClaims({ how: 'single', load: { underWay: 16 } }, costs)
    assert.ok(Math.abs(perSecond - 1000) < 5, String(perSecond))
    assert.ok(Math.abs(p50 - 16) < 0.01, String(p50))
  })

  it('answers a claim at low load after what it costs and what the way takes', async () => {
    const far = { ...costs, wayP50: 5, wayP99: 20 }
    const { perSecond, p50, p99 } = await modelClaims({ how: 'single', load: { perSecond: 100 } }, far)
    assert.ok(Math.abs(perSecond - 100) <= 2, String(perSecond))
    assert.ok(p50 >= 6 && p50 < 7, String(p50))
    assert.ok(p99 > 12 && p99 < 40, String(p99))
  })

  it('does many more claims by the node’s own batches', async () => {
    const { perSecond } = await modelClaims({ how: 'batched', load: { underWay: 500 } }, costs)
    assert.ok(perSecond > 8500 && perSecond <= 9310, String(perSecond))
  })
})

describe('storeCosts', () => {
  it('is what reproduces the constants it was made from', async () => {
    const values = { ...shippedConstants.values }
    const set = (name: ConstantName, value: number): void => {
      values[name] = { value, origin: 'assumed', how: 'for this test' }
    }
    set('etcd.claimsPerSecondSingle', 400)
    set('etcd.claimsPerSecondBatched', 4000)
    set('etcd.writeMsP50', 0.5)
    set('etcd.writeMsP99', 0.5)
    const made = storeCosts({ ...shippedConstants, values })
    const single = await modelClaims({ how: 'single', load: { underWay: 64 } }, made)
    const batched = await modelClaims({ how: 'batched', load: { underWay: 1000 } }, made)
    assert.ok(Math.abs(single.perSecond - 400) < 20, String(single.perSecond))
    assert.ok(Math.abs(batched.perSecond - 4000) < 400, String(batched.perSecond))
  })
})
