import assert from 'node:assert/strict'
import { modelClaims } from '../../../sim/calibrate/claim-model.ts'
import { storeCosts, type StoreCosts } from '../../../sim/calibrate/queued-store.ts'
import { shippedConstants, type ConstantName } from '../../../sim/constants/constants.ts'

/** A store that does a transaction of one claim in 1 ms and one of 120 in 12.9. */
const costs: StoreCosts = { perWrite: 0, perTransaction: 0.9, perClaim: 0.1, wayP99: 0 }

describe('modelClaims', () => {
  it('carries single claims out one after the other where writing costs nothing by itself', async () => {
    const { perSecond, p50 } = await modelClaims({ how: 'single', load: { underWay: 16 } }, costs)
    assert.ok(Math.abs(perSecond - 1000) < 20, String(perSecond))
    assert.ok(p50 > 14 && p50 < 16.01, String(p50))
  })

  it('writes what came meanwhile all at once, so that a slow log costs the more the fewer are under way', async () => {
    const slow = { ...costs, perWrite: 8 }
    const few = await modelClaims({ how: 'single', load: { underWay: 4 } }, slow)
    const many = await modelClaims({ how: 'single', load: { underWay: 16 } }, slow)
    // Two writes carry all that are under way: 16 + 4 ms for four, 16 + 16 ms for sixteen.
    assert.ok(Math.abs(few.perSecond - 200) < 10, String(few.perSecond))
    assert.ok(Math.abs(many.perSecond - 500) < 25, String(many.perSecond))
  })

  it('answers a claim at low load after what it costs, and now and then later', async () => {
    const far = { ...costs, perWrite: 5, wayP99: 20 }
    const { perSecond, p50, p99 } = await modelClaims({ how: 'single', load: { perSecond: 100 } }, far)
    assert.ok(Math.abs(perSecond - 100) <= 2, String(perSecond))
    assert.ok(p50 >= 6 && p50 < 7, String(p50))
    assert.ok(p99 > 12 && p99 < 40, String(p99))
  })

  it('does many more claims by the node’s own batches', async () => {
    const { perSecond } = await modelClaims({ how: 'batched', load: { underWay: 500 } }, costs)
    assert.ok(perSecond > 8500 && perSecond <= 9450, String(perSecond))
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
    set('etcd.writeMsP50', 8)
    set('etcd.writeMsP99', 8)
    const made = storeCosts({ ...shippedConstants, values })
    const low = await modelClaims({ how: 'single', load: { perSecond: 10 } }, made)
    const single = await modelClaims({ how: 'single', load: { underWay: 64 } }, made)
    const batched = await modelClaims({ how: 'batched', load: { underWay: 1000 } }, made)
    assert.ok(Math.abs(low.p50 - 8) < 0.1, String(low.p50))
    assert.ok(Math.abs(single.perSecond - 400) < 20, String(single.perSecond))
    assert.ok(Math.abs(batched.perSecond - 4000) < 400, String(batched.perSecond))
  })
})
