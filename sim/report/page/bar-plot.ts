import { escapeHtml } from '../html-text.ts'
import type { BarChart } from '../report.ts'
import { shortNumber } from './number-text.ts'
import { scaleOf } from './scale.ts'

/**
 * Lying bars, category under category, so that long names and many of them fit a narrow screen. Limits are lines down through all
 * of them, each named on a line of its own above.
 */
export function barPlot(chart: BarChart): string {
  const { title, categories, y, series, limits = [], isStacked = false } = chart
  const totals = categories.map((_, index) =>
    isStacked
      ? series.reduce((sum, { values }) => sum + (values[index] ?? 0), 0)
      : Math.max(0, ...series.map(({ values }) => values[index] ?? 0)),
  )
  const each = isStacked ? [] : series.flatMap(({ values }) => values)
  const scale = scaleOf([...totals, ...each, ...limits.map(({ value }) => value)], y.isLogarithmic === true, {
    ticks: 5,
    hasZero: true,
  })
  const rows = categories.map((category, index) => {
    let before = 0
    const bars = series.map(({ name, values }, number) => {
      const value = values[index] ?? 0
      const from = isStacked ? scale.at(before) : 0
      before += value
      const width = (isStacked ? scale.at(before) : scale.at(value)) - from
      const text = series.length === 1 || !isStacked ? shortNumber(value) : ''
      const label = `${category}${series.length > 1 ? `, ${name}` : ''}: ${shortNumber(value)}`
      return (
        `<div class="bar" title="${escapeHtml(label)}"><i class="b${number % 8}" style="width:${width.toFixed(2)}%"></i>` +
        `${text === '' ? '' : `<b${width > 82 ? ' class="inside"' : ''}>${text}</b>`}</div>`
      )
    })
    const sum =
      isStacked && series.length > 1 ? ` <span class="soft">${shortNumber(totals[index] ?? 0)}</span>` : ''
    return (
      `<div class="category"><span>${escapeHtml(category)}${sum}</span>` +
      `<div class="${isStacked ? 'track stacked' : 'track'}">${bars.join('')}</div></div>`
    )
  })
  const across = [
    ...scale.ticks.map(({ at }) => `<i class="bar-grid" style="left:${at.toFixed(2)}%"></i>`),
    ...limits.map(({ value }) => `<i class="limit" style="left:${scale.at(value).toFixed(2)}%"></i>`),
  ]
  const names = limits.map(({ value, label }) => {
    const at = scale.at(value)
    const side = at > 50 ? `right:${(100 - at).toFixed(2)}%` : `left:${at.toFixed(2)}%`
    return `<p class="limit-name"><span style="${side}">${escapeHtml(`${label}: ${shortNumber(value)}`)}</span></p>`
  })
  return [
    `<figure><figcaption>${escapeHtml(title)}</figcaption>`,
    series.length > 1 ? barLegend(series.map(({ name }) => name)) : '',
    `<div class="bars" role="img" aria-label="${escapeHtml(`${title}: ${y.label}; figures in the table below`)}">`,
    ...names,
    `<div class="rows">${across.join('')}${rows.join('')}</div>`,
    `<div class="bar-ticks">${scale.ticks
      .map(({ at, text }) => `<span class="tick-x" style="left:${at.toFixed(2)}%">${text}</span>`)
      .join('')}</div>`,
    `</div><p class="x-label">${escapeHtml(y.label)} →</p>`,
    figures(chart),
    '</figure>',
  ].join('\n')
}

function barLegend(names: readonly string[]): string {
  const keys = names.map((name, index) => `<li><i class="key b${index % 8}"></i>${escapeHtml(name)}</li>`)
  return `<ul class="legend">${keys.join('')}</ul>`
}

function figures({ categories, series, limits = [], y }: BarChart): string {
  const head = series.map(({ name }) => `<th scope="col" class="n">${escapeHtml(name)}</th>`)
  const rows = categories.map((category, index) => {
    const cells = series.map(({ values }) => `<td class="n">${shortNumber(values[index] ?? 0)}</td>`)
    return `<tr><th scope="row">${escapeHtml(category)}</th>${cells.join('')}</tr>`
  })
  const limitRows = limits.map(
    ({ value, label }) =>
      `<tr><th scope="row">${escapeHtml(label)} (limit)</th><td class="n" colspan="${series.length}">${shortNumber(value)}</td></tr>`,
  )
  return (
    `<details><summary>The figures</summary><div class="figures"><table><caption>${escapeHtml(y.label)}</caption>` +
    `<thead><tr><th></th>${head.join('')}</tr></thead><tbody>${rows.join('')}${limitRows.join('')}</tbody></table></div></details>`
  )
}
