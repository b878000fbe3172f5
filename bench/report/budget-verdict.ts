import type { Budget, Metric, Scenario } from '../scenarios/scenario.ts'
import type { BudgetReport, ContestantResult } from './bench-report.ts'
import { formatFigure, formatRatio } from './format.ts'

const judgedRoles = {
  brokers: 'subject',
  both: 'subject',
  bare: 'reference',
  etcd: 'store',
  own: 'own',
} as const

/** Holds a scenario's results against its budget; the first contestant that is not a peer is the one judged. */
export function judgeBudget(
  scenario: Scenario,
  budget: Budget,
  results: readonly ContestantResult[],
): BudgetReport {
  const metric = scenario.metrics.find(({ key }) => key === budget.metric) ?? scenario.metrics[0]
  const text = describeBudget(budget, metric)
  const judged = results.find(({ role }) => role === judgedRoles[scenario.against])
  const value = judged?.median[metric.key]
  const unknown = (measured: string): BudgetReport => ({ budget, text, verdict: 'not measured', measured })
  if (judged === undefined || judged.status === 'skipped') return unknown(judged?.reason ?? 'not run')
  if (judged.status === 'failed')
    return { budget, text, verdict: 'not met', measured: judged.reason ?? 'failed' }
  if (value === undefined) return unknown('no figure')

  if (budget.kind === 'at-least' || budget.kind === 'at-most') {
    const met = budget.kind === 'at-least' ? value >= budget.value : value <= budget.value
    const measured =
      formatFigure(value, metric.unit) + (judged.loadBound ? ' (load generator saturated)' : '')
    // A figure that the load generator limits cannot prove a broker too slow.
    if (!met && judged.loadBound) return unknown(measured)
    return { budget, text, verdict: met ? 'met' : 'not met', measured }
  }
  const peer = results.find(({ label }) => label === budget.peer)
  const peerValue = peer?.median[metric.key]
  if (peer?.status !== 'ok' || peerValue === undefined)
    return unknown(`no figure of ${budget.peer} in this run`)
  if (budget.kind === 'times') {
    const ratio = value / peerValue
    return { budget, text, verdict: ratio >= budget.factor ? 'met' : 'not met', measured: formatRatio(ratio) }
  }
  const measured = `${formatFigure(value, metric.unit)} against ${formatFigure(peerValue, metric.unit)}`
  return { budget, text, verdict: value <= peerValue ? 'met' : 'not met', measured }
}

function describeBudget(budget: Budget, metric: Metric): string {
  switch (budget.kind) {
    case 'times':
      return `${metric.title} ≥ ${budget.factor} × ${budget.peer}’s`
    case 'at-most-peer':
      return `${metric.title} ≤ ${budget.peer}’s`
    case 'at-least':
      return `${metric.title} ≥ ${formatFigure(budget.value, metric.unit)}`
    case 'at-most':
      return `${metric.title} ≤ ${formatFigure(budget.value, metric.unit)}`
  }
}
