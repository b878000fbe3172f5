import assert from 'node:assert/strict'
import type { ContestantResult } from '../../../bench/report/bench-report.ts'
import { judgeBudget } from '../../../bench/report/budget-verdict.ts'
import type { Budget, Scenario } from '../../../bench/scenarios/scenario.ts'

const scenario: Scenario = {
  ...{ id: 's', title: 'S', description: '', against: 'brokers' },
  metrics: [{ key: 'rate', title: 'rate', unit: '/s', better: 'higher' }],
  measure: async () => ({ metrics: {} }),
}

function result(
  role: 'subject' | 'peer',
  rate: number,
  changes: Partial<ContestantResult> = {},
): ContestantResult {
  const label = role === 'subject' ? 'grapevine' : 'mosquitto'
  return {
    ...{ label, broker: label, role, status: 'ok', runs: [], ratios: {} },
    median: { rate },
    loadBound: false,
    ...changes,
  }
}

function verdict(budget: Budget, results: ContestantResult[]): string {
  return judgeBudget(scenario, budget, results).verdict
}

describe('judgeBudget', () => {
  const sixTimes: Budget = { kind: 'times', peer: 'mosquitto', factor: 6 }

  it('compares with the peer of the same run', () => {
    assert.equal(verdict(sixTimes, [result('subject', 600), result('peer', 100)]), 'met')
    assert.equal(verdict(sixTimes, [result('subject', 599), result('peer', 100)]), 'not met')
  })

  it('knows nothing without the peer', () => {
    assert.equal(verdict(sixTimes, [result('subject', 600)]), 'not measured')
    const skipped = result('peer', Number.NaN, { status: 'skipped', median: {} })
    assert.equal(verdict(sixTimes, [result('subject', 600), skipped]), 'not measured')
  })

  it('is not met by a failed run, whatever its figure', () => {
    const failed = result('subject', 900, { status: 'failed', reason: '3 were lost' })
    assert.equal(verdict(sixTimes, [failed, result('peer', 100)]), 'not met')
  })

  it('does not blame the broker for a saturated load generator', () => {
    const budget: Budget = { kind: 'at-least', value: 100 }
    assert.equal(verdict(budget, [result('subject', 90)]), 'not met')
    assert.equal(verdict(budget, [result('subject', 90, { loadBound: true })]), 'not measured')
    assert.equal(verdict(budget, [result('subject', 110, { loadBound: true })]), 'met')
  })

  it('takes less as better where the budget is a ceiling', () => {
    assert.equal(verdict({ kind: 'at-most', value: 6 }, [result('subject', 6)]), 'met')
    assert.equal(
      verdict({ kind: 'at-most-peer', peer: 'mosquitto' }, [result('subject', 7), result('peer', 6)]),
      'not met',
    )
  })
})
