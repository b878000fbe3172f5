import type { Metric } from '../scenarios/scenario.ts'
import type { BenchReport, ContestantResult, ScenarioReport } from './bench-report.ts'
import { formatRatio, formatValue } from './format.ts'

/** Cores used by others during a run, above which its figure is marked. */
export const disturbedAbove = 0.1

/** One scenario as a table for the terminal. */
export function scenarioText(scenario: ScenarioReport): string {
  const peers = scenario.results.filter(({ role }) => role === 'peer')
  const header = [
    '',
    ...scenario.metrics.map(({ title, unit }) => (unit === '' ? title : `${title} ${unit}`)),
    ...peers.map(({ label }) => `÷ ${label}`),
  ]
  const rows = scenario.results.map(result => [
    `  ${result.label}`,
    ...(result.status === 'skipped' ? [] : scenario.metrics.map(metric => cell(result, metric))),
    ...peers.map(({ label }) => (result.role === 'subject' ? formatRatio(result.ratios[label]) : '')),
  ])
  const notes = scenario.results.flatMap(result => notesOf(result).map(note => `  ${result.label}: ${note}`))
  const budgets = scenario.budgets.map(
    ({ text, verdict, measured }) => `  budget: ${text}: ${verdict} (${measured})`,
  )
  return [
    `${scenario.id} – ${scenario.title}`,
    `  ${scenario.description}`,
    ...table([header, ...rows]),
    ...notes,
    ...budgets,
  ].join('\n')
}

/** The closing lines: the budgets, and which brokers are missing. */
export function summaryText(report: BenchReport): string {
  const budgets = report.scenarios.flatMap(({ id, budgets }) =>
    budgets.map(({ text, measured, verdict }) => [`  ${id}`, text, measured, verdict]),
  )
  const missing = report.brokers.flatMap(({ missing }) => (missing === undefined ? [] : [`  ${missing}`]))
  return [
    ...(budgets.length === 0 ? [] : ['Budgets', ...leftAligned(budgets)]),
    ...(missing.length === 0 ? [] : ['Not compared', ...missing]),
  ].join('\n')
}

/** Why a result needs care, each a sentence without a full stop. */
export function notesOf(result: ContestantResult): string[] {
  const disturbed = result.runs.filter(({ otherCores }) => (otherCores ?? 0) > disturbedAbove).length
  return [
    ...(result.status === 'ok' ? [] : [`${result.status}: ${result.reason ?? 'no reason given'}`]),
    ...(result.loadBound ? ['the load generator was saturated, the broker was not: it can do more'] : []),
    ...(disturbed === 0
      ? []
      : [`other processes used the machine during ${disturbed} of ${result.runs.length} runs`]),
  ]
}

function cell(result: ContestantResult, metric: Metric): string {
  return formatValue(result.median[metric.key], metric.unit)
}

/** First column to the left, figures to the right. */
function table(rows: readonly string[][]): string[] {
  const widths = columnWidths(rows)
  return rows.map(row =>
    row
      .map((text, column) =>
        column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart((widths[column] ?? 0) + 2),
      )
      .join('')
      .trimEnd(),
  )
}

function leftAligned(rows: readonly string[][]): string[] {
  const widths = columnWidths(rows)
  return rows.map(row =>
    row
      .map((text, column) => text.padEnd((widths[column] ?? 0) + 2))
      .join('')
      .trimEnd(),
  )
}

function columnWidths(rows: readonly string[][]): number[] {
  const columns = Math.max(...rows.map(row => row.length))
  return Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map(row => row[column]?.length ?? 0)),
  )
}
