import assert from 'node:assert/strict'
import { AwaitedOwners } from '../../coordination/awaited-owners.ts'

describe('AwaitedOwners', () => {
  let owners: AwaitedOwners

  beforeEach(() => {
    owners = new AwaitedOwners('a')
    const members = ['a', 'b', 'c'].map(nodeId => ({ nodeId, claimedEpoch: 1 }))
    assert.ok(owners.observe(members, new Set()))
  })

  it('are those that have not said in the new epoch that they have claimed, gone or not', () => {
    assert.deepEqual(owners.in(1), [])
    assert.deepEqual(owners.in(2), ['b', 'c'])
    assert.ok(owners.observe([{ nodeId: 'b', claimedEpoch: 2 }], new Set()))
    assert.deepEqual(owners.in(2), ['c'])
  })

  it('are not those who say nothing, or say what an older store has of them', () => {
    owners.observe([{ nodeId: 'b', claimedEpoch: 2 }], new Set())
    assert.equal(owners.observe([{ nodeId: 'b', claimedEpoch: 1 }, { nodeId: 'old' }], new Set()), false)
    assert.deepEqual(owners.in(2), ['c'])
  })

  it('are none that are retired, unless they are members', () => {
    assert.ok(owners.observe([{ nodeId: 'b', claimedEpoch: 1 }], new Set(['b', 'c'])))
    assert.deepEqual(owners.in(2), ['b'])
  })

  it('are remembered over a restart', () => {
    const next = new AwaitedOwners('a')
    next.restore(owners.claims())
    assert.deepEqual(next.in(2), ['b', 'c'])
  })
})
