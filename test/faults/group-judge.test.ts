import assert from 'node:assert/strict'
import { groupViolations, type MemberDeliveries } from './group-judge.ts'

describe('groupViolations', () => {
  const none: ReadonlySet<string> = new Set()

  function published(qos: 1 | 2): { publisher: string; qos: 1 | 2; sent: number; acknowledged: Set<number> } {
    return { publisher: 'p', qos, sent: 3, acknowledged: new Set([0, 1]) }
  }

  function member(
    name: string,
    deliveries: readonly string[],
    undeclaredCopies: readonly string[] = [],
  ): MemberDeliveries {
    return { name, deliveries, undeclaredCopies }
  }

  it('is content with one member for each, with copies sent again to it, and with what was never acknowledged', () => {
    const members = [member('a', ['p-0', 'p-0']), member('b', ['p-1'])]
    assert.deepEqual(groupViolations([published(1)], members, none), [])
  })

  it('finds what was acknowledged and reached nobody', () => {
    const violations = groupViolations([published(1)], [member('a', ['p-0'])], none)
    assert.deepEqual(violations, ['lost: p-1 was acknowledged and reached no member'])
  })

  it('finds what two members got, unless it was in doubt', () => {
    const members = [member('a', ['p-0', 'p-1']), member('b', ['p-1'])]
    const violations = groupViolations([published(1)], members, none)
    assert.deepEqual(violations, ['two members: p-1 at QoS 1 came to a and b'])
    assert.deepEqual(groupViolations([published(1)], members, new Set(['p-1'])), [])
    assert.equal(groupViolations([published(2)], members, new Set(['p-0'])).length, 1)
  })

  it('finds what came to one member again as if it were new', () => {
    const members = [member('a', ['p-0', 'p-1', 'p-1'], ['p-1'])]
    const violations = groupViolations([published(1)], members, none)
    assert.deepEqual(violations, ['twice: p-1 came to a again, without DUP'])
  })
})
