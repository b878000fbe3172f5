import { barChart, type Bar } from './bar-chart.ts'
import type { BenchReport, ContestantResult, ScenarioReport } from './bench-report.ts'
import { formatFigure, formatRatio, formatValue } from './format.ts'
import { htmlStyle } from './html-style.ts'
import { escapeHtml } from '../../sim/report/html-text.ts'
import { latencyChart, type LatencyLine } from './latency-chart.ts'
import { typicalRow } from './statistics.ts'
import { notesOf } from './text-report.ts'

/** The whole report as one page that needs nothing from elsewhere. */
export function htmlReport(report: BenchReport): string {
  const { machine, settings } = report
  const peers = report.brokers.filter(({ role }) => role === 'peer').map(({ name }) => name)
  const pinning = settings.pinned ? 'broker on core 0, load on core 1' : 'processes not pinned'
  const facts = [
    `${report.date.slice(0, 16).replace('T', ' ')} UTC`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, ${machine.system}, Node ${machine.node}`,
    `MQTT ${settings.mqttVersion}; ${settings.repeat} runs of ${settings.seconds} s after ${settings.warmupSeconds} s, medians; ${pinning}`,
  ]
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>Grapevine bench</title><style>${htmlStyle}</style></head><body><main>`,
    '<h1>Grapevine bench</h1>',
    ...facts.map(fact => `<p class="soft">${escapeHtml(fact)}</p>`),
    `<p><code>${escapeHtml(report.command)}</code></p>`,
    brokersSection(report),
    budgetsSection(report),
    ...report.scenarios.map(scenario => scenarioSection(scenario, peers)),
    '</main></body></html>\n',
  ].join('\n')
}

function brokersSection({ brokers }: BenchReport): string {
  const rows = brokers.map(
    ({ name, version, missing, settings }) =>
      `<tr><td>${escapeHtml(name)}</td><td>${escapeHtml(version ?? '')}</td><td>${escapeHtml(missing ?? settings)}</td></tr>`,
  )
  return `<section><h2>Brokers</h2><table class="words">${rows.join('')}</table></section>`
}

function budgetsSection({ scenarios }: BenchReport): string {
  const rows = scenarios.flatMap(({ title, budgets }) =>
    budgets.map(
      ({ text, measured, verdict }) =>
        `<tr><td>${escapeHtml(title)}</td><td>${escapeHtml(text)}</td><td>${escapeHtml(measured)}</td>` +
        `<td class="${verdict.replace(' ', '-')}">${verdict}</td></tr>`,
    ),
  )
  if (rows.length === 0) return ''
  const head = '<tr><th>scenario</th><th>budget</th><th>measured</th><th></th></tr>'
  return `<section><h2>Budgets</h2><table class="words">${head}${rows.join('')}</table></section>`
}

function scenarioSection(scenario: ScenarioReport, peers: readonly string[]): string {
  const shown = scenario.results.filter(({ median }) => Object.keys(median).length > 0)
  const notes = scenario.results.flatMap(result =>
    notesOf(result).map(note => `<p class="soft">${escapeHtml(`${result.label}: ${note}.`)}</p>`),
  )
  return [
    `<section id="${escapeHtml(scenario.id)}"><h2>${escapeHtml(scenario.title)}</h2>`,
    `<p class="soft">${escapeHtml(scenario.description)}</p>`,
    shown.length === 0 ? '' : charts(scenario, shown, peers) + figures(scenario, shown),
    ...notes,
    '</section>',
  ].join('\n')
}

function charts(
  scenario: ScenarioReport,
  results: readonly ContestantResult[],
  peers: readonly string[],
): string {
  const metric = scenario.metrics[0]
  if (metric === undefined) return ''
  const bars = results.map((result): Bar => {
    const values = result.runs.flatMap(({ fault, metrics }) =>
      fault === undefined ? [metrics[metric.key] ?? 0] : [],
    )
    const value = result.median[metric.key] ?? 0
    const ratios = Object.entries(result.ratios).map(([peer, ratio]) => `${formatRatio(ratio)} ${peer}’s`)
    return {
      label: result.label,
      value,
      text: formatFigure(value, metric.unit),
      note: ratios.join(' · '),
      range: [Math.min(...values), Math.max(...values)],
      colour: colourOf(result, peers),
    }
  })
  const chart = barChart(`${scenario.title}: ${metric.title}`, bars)
  // A closed loop's latencies are those of full queues: only paced scenarios get the curve.
  if (metric.unit !== 'ms') return chart
  const lines = results.flatMap((result): LatencyLine[] => {
    const curve = typicalRow(result.runs, metric.key)?.latencyCurve
    return curve === undefined ? [] : [{ label: result.label, colour: colourOf(result, peers), curve }]
  })
  return lines.length === 0 ? chart : chart + latencyChart(`${scenario.title}: latency by percentile`, lines)
}

function figures(scenario: ScenarioReport, results: readonly ContestantResult[]): string {
  const head = scenario.metrics
    .map(({ title, unit }) => `<th>${escapeHtml(`${title} ${unit}`.trim())}</th>`)
    .join('')
  const rows = results.map(({ label, median }) => {
    const cells = scenario.metrics.map(({ key, unit }) => `<td>${formatValue(median[key], unit)}</td>`)
    return `<tr><td>${escapeHtml(label)}</td>${cells.join('')}</tr>`
  })
  return `<div class="scroll"><table><tr><th></th>${head}</tr>${rows.join('')}</table></div>`
}

function colourOf({ role, broker }: ContestantResult, peers: readonly string[]): string {
  return role === 'peer' ? `peer-${peers.indexOf(broker) % 3}` : role
}
