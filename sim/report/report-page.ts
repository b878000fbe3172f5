import { escapeHtml } from './html-text.ts'
import { barPlot } from './page/bar-plot.ts'
import { heatPlot } from './page/heat-plot.ts'
import { linePlot } from './page/line-plot.ts'
import { pageStyle } from './page/page-style.ts'
import type { Cell, Chart, Report, Section, Table } from './report.ts'

/** The whole report as one page that needs nothing from elsewhere, no script and no network: it opens from a file. */
export function reportPage({ title, subtitle, sections }: Report): string {
  const contents = sections.map(
    ({ heading }, index) => `<li><a href="#s${index}">${escapeHtml(heading)}</a></li>`,
  )
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeHtml(title)}</title><style>${pageStyle}</style></head><body><main>`,
    `<header><h1>${escapeHtml(title)}</h1><p>${escapeHtml(subtitle)}</p></header>`,
    sections.length > 2 ? `<nav aria-label="Contents"><ul>${contents.join('')}</ul></nav>` : '',
    ...sections.map(sectionHtml),
    '</main></body></html>\n',
  ].join('\n')
}

function sectionHtml({ heading, prose, tables = [], charts = [] }: Section, index: number): string {
  return [
    `<section id="s${index}"><h2>${escapeHtml(heading)}</h2>`,
    ...(prose === undefined ? [] : prose.split('\n').map(paragraph => `<p>${escapeHtml(paragraph)}</p>`)),
    ...tables.map(tableHtml),
    ...charts.map(chartHtml),
    '</section>',
  ].join('\n')
}

function tableHtml({ caption, columns, rows }: Table): string {
  const head = columns.map(
    ({ heading, isNumeric }) =>
      `<th scope="col"${isNumeric === true ? ' class="n"' : ''}>${escapeHtml(heading)}</th>`,
  )
  const body = rows.map(row => {
    const cells = columns.map(({ isNumeric }, column) => {
      const attribute = isNumeric === true ? ' class="n"' : ''
      return `<td${attribute}>${cellHtml(row[column] ?? '')}</td>`
    })
    return `<tr>${cells.join('')}</tr>`
  })
  return (
    `<div class="scroll"><table class="data">${caption === undefined ? '' : `<caption>${escapeHtml(caption)}</caption>`}` +
    `<thead><tr>${head.join('')}</tr></thead><tbody>${body.join('\n')}</tbody></table></div>`
  )
}

const marks = { good: '✓', warn: '!', bad: '✗' } as const
const meanings = { good: 'good', warn: 'warning', bad: 'bad' } as const

function cellHtml(cell: Cell): string {
  if (typeof cell === 'string') return escapeHtml(cell)
  const { text, verdict, note } = cell
  const mark = `<span role="img" aria-label="${meanings[verdict]}">${marks[verdict]}</span>`
  const shown = `<span class="${verdict}">${mark} ${escapeHtml(text)}</span>`
  return note === undefined ? shown : `${shown}<span class="note">${escapeHtml(note)}</span>`
}

function chartHtml(chart: Chart): string {
  switch (chart.kind) {
    case 'lines':
      return linePlot(chart)
    case 'bars':
      return barPlot(chart)
    case 'heat':
      return heatPlot(chart)
  }
}
