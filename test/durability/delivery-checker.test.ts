import assert from 'node:assert/strict'
import { deliveryViolations, type PublisherHistory } from './delivery-checker.ts'

describe('deliveryViolations', () => {
  const histories: PublisherHistory[] = [
    { publisher: 'one', qos: 1, sent: 4, acknowledged: new Set([0, 1, 2]) },
    { publisher: 'two', qos: 2, sent: 3, acknowledged: new Set([0, 1]) },
  ]
  const good = ['one-0', 'two-0', 'one-1', 'one-0', 'one-1', 'one-2', 'two-1']

  it('allows copies at QoS 1, other interleavings, and what was sent but not acknowledged, delivered or not', () => {
    assert.deepEqual(deliveryViolations(histories, good), [])
    assert.deepEqual(deliveryViolations(histories, [...good, 'one-3', 'two-2']), [])
    assert.deepEqual(deliveryViolations(histories, good.toSorted()), [])
  })

  it('finds a message that was acknowledged and is lost', () => {
    const without = good.filter(payload => payload !== 'two-1')
    assert.deepEqual(deliveryViolations(histories, without), ['lost: two-1 was acknowledged'])
    assert.equal(deliveryViolations(histories, []).length, 5)
  })

  it('finds a message at QoS 2 that came twice', () => {
    assert.deepEqual(deliveryViolations(histories, [...good, 'two-0']), ['doubled: two-0 at QoS 2'])
  })

  it('finds messages that nobody sent', () => {
    for (const payload of ['one-4', 'three-0', 'one-00', 'one--1', 'one-1.5', 'one-', '']) {
      assert.deepEqual(
        deliveryViolations(histories, [...good, payload]).map(line => line.split(':')[0]),
        ['phantom'],
        payload,
      )
    }
  })

  it('finds first deliveries out of order', () => {
    assert.deepEqual(deliveryViolations(histories, ['one-1', 'one-0', 'one-2', 'two-0', 'two-1']), [
      'reordered: one-0 after one-1',
    ])
  })
})
