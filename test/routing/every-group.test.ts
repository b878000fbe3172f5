import assert from 'node:assert/strict'
import { everyGroup, everyGroupBut, isEveryGroup, isLeftOut } from '../../routing/every-group.ts'

describe('a target that means every shared subscription', () => {
  it('leaves out exactly those it names, whatever is in their names', () => {
    const named = [
      { group: 'g', filter: 't/+' },
      { group: 'g\nh', filter: '\u0001' },
    ]
    const target = everyGroupBut(named)
    assert.ok(isEveryGroup(target))
    for (const group of named) assert.ok(isLeftOut(group, target))
    for (const group of [
      { group: 'g', filter: 't' },
      { group: 'h', filter: 't/+' },
    ])
      assert.ok(!isLeftOut(group, target))
    assert.ok(!isLeftOut({ group: 'g', filter: 't/+' }, everyGroup))
  })

  it('leaves none out when the names are more than a frame holds', () => {
    const many = Array.from({ length: 10 }, (_, i) => ({ group: `${i}`, filter: 'x'.repeat(7000) }))
    assert.deepEqual(everyGroupBut(many), everyGroup)
    assert.notDeepEqual(everyGroupBut(many.slice(1)), everyGroup)
  })
})
