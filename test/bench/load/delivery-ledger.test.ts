import assert from 'node:assert/strict'
import { SequenceLedger, SharedLedger } from '../../../bench/load/delivery-ledger.ts'

describe('SequenceLedger', () => {
  it('counts what came in order as delivered', () => {
    const ledger = new SequenceLedger(1, 2)
    for (const subscriber of [0, 1]) for (const sequence of [0, 1, 2]) ledger.deliver(subscriber, 0, sequence)
    assert.deepEqual(ledger.totals(6), { delivered: 6, lost: 0, duplicated: 0 })
    assert.equal(ledger.settled(0), 6)
  })

  it('takes a gap as loss that is no longer awaited', () => {
    const ledger = new SequenceLedger(1, 1)
    ledger.deliver(0, 0, 0)
    ledger.deliver(0, 0, 5)
    assert.equal(ledger.settled(0), 6)
    assert.deepEqual(ledger.totals(6), { delivered: 2, lost: 4, duplicated: 0 })
  })

  it('counts what never came at the end as lost', () => {
    const ledger = new SequenceLedger(2, 1)
    ledger.deliver(0, 0, 0)
    ledger.deliver(0, 1, 0)
    assert.equal(ledger.totals(5).lost, 3)
  })

  it('counts a copy that comes again as duplicate, and not as progress', () => {
    const ledger = new SequenceLedger(1, 1)
    for (const sequence of [0, 1, 1, 0]) ledger.deliver(0, 0, sequence)
    assert.deepEqual(ledger.totals(2), { delivered: 2, lost: 0, duplicated: 2 })
    assert.equal(ledger.settled(0), 2)
  })

  it('keeps publishers and subscribers apart', () => {
    const ledger = new SequenceLedger(2, 2)
    ledger.deliver(0, 0, 0)
    ledger.deliver(0, 1, 0)
    ledger.deliver(1, 1, 0)
    assert.equal(ledger.settled(0), 1)
    assert.equal(ledger.settled(1), 2)
    assert.equal(ledger.totals(3).duplicated, 0)
  })
})

describe('SharedLedger', () => {
  it('lets members take turns without seeing gaps or duplicates', () => {
    const ledger = new SharedLedger(1)
    for (let sequence = 0; sequence < 10; sequence++) ledger.deliver(sequence % 3, 0, sequence)
    assert.deepEqual(ledger.totals(10), { delivered: 10, lost: 0, duplicated: 0 })
  })

  it('counts a message that two members got as duplicate', () => {
    const ledger = new SharedLedger(1)
    ledger.deliver(0, 0, 3)
    ledger.deliver(1, 0, 3)
    assert.deepEqual(ledger.totals(4), { delivered: 1, lost: 3, duplicated: 1 })
  })

  it('grows with the sequence', () => {
    const ledger = new SharedLedger(1)
    for (const sequence of [5_000_000, 0, 5_000_000]) ledger.deliver(0, 0, sequence)
    assert.equal(ledger.totals(2).duplicated, 1)
    assert.equal(ledger.settled(0), 2)
  })
})
