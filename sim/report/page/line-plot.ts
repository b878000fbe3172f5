import { escapeHtml } from '../html-text.ts'
import type { LineChart } from '../report.ts'
import { shortNumber } from './number-text.ts'
import { scaleOf, type Scale } from './scale.ts'

/** Points drawn, and rows listed, of one curve; more are thinned out evenly. */
const POINTS_MAX = 600
const ROWS_MAX = 40
/** Curves that colours can tell apart; with the dashes twice as many. */
const COLOURS = 8

/**
 * Curves as inline SVG that stretches with the page, while the text around it keeps its size. Each curve has a colour and a dash
 * of its own; the figures are below it as a table.
 */
export function linePlot({ title, x, y, series, spans = [] }: LineChart): string {
  const shown = series.map(one => ({ ...one, points: thinned(one.points, POINTS_MAX) }))
  const points = shown.flatMap(one => one.points)
  const across = scaleOf(
    [...points.map(([value]) => value), ...spans.flatMap(({ from, to }) => [from, to])],
    x.isLogarithmic === true,
    { ticks: 6 },
  )
  const up = scaleOf(
    points.map(([, value]) => value),
    y.isLogarithmic === true,
    { ticks: 5, hasZero: true },
  )
  const curves = shown.map(({ name, points: curve }, index) => {
    const line = curve.map(([px, py]) => `${place(across.at(px))},${place(100 - up.at(py))}`).join(' ')
    return (
      `<polyline class="curve ${curveClass(index)}" points="${line}" vector-effect="non-scaling-stroke">` +
      `<title>${escapeHtml(name)}</title></polyline>`
    )
  })
  return [
    `<figure><figcaption>${escapeHtml(title)}</figcaption>`,
    series.length > 1 ? legend(series.map(({ name }) => name)) : '',
    `<p class="y-label">↑ ${escapeHtml(y.label)}</p>`,
    `<div class="plot" role="img" aria-label="${escapeHtml(`${title}: ${y.label} over ${x.label}; figures in the table below`)}">`,
    `<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">${grid(across, up)}`,
    ...spans.map(span => {
      const from = across.at(span.from)
      return `<rect class="span" x="${place(from)}" y="0" width="${place(across.at(span.to) - from)}" height="100"/>`
    }),
    ...curves,
    '</svg>',
    ...spans.map(
      ({ from, label }) =>
        `<span class="span-label" style="left:${place(across.at(from))}%">${escapeHtml(label)}</span>`,
    ),
    ...up.ticks.map(({ at, text }) => `<span class="tick-y" style="bottom:${place(at)}%">${text}</span>`),
    ...across.ticks.map(({ at, text }) => `<span class="tick-x" style="left:${place(at)}%">${text}</span>`),
    `</div><p class="x-label">${escapeHtml(x.label)} →</p>`,
    figures({ title, x, y, series, kind: 'lines' }),
    '</figure>',
  ].join('\n')
}

export function legend(names: readonly string[]): string {
  const keys = names.map(
    (name, index) =>
      `<li><svg viewBox="0 0 28 8" aria-hidden="true"><line class="curve ${curveClass(index)}" x1="0" y1="4" x2="28" y2="4"/></svg>` +
      `${escapeHtml(name)}</li>`,
  )
  return `<ul class="legend">${keys.join('')}</ul>`
}

function grid(across: Scale, up: Scale): string {
  const lines = [
    ...up.ticks.map(({ at }) => ({ x1: 0, x2: 100, y1: 100 - at, y2: 100 - at })),
    ...across.ticks.map(({ at }) => ({ x1: at, x2: at, y1: 0, y2: 100 })),
  ]
  return lines
    .map(
      ({ x1, x2, y1, y2 }) =>
        `<line class="grid" x1="${place(x1)}" x2="${place(x2)}" y1="${place(y1)}" y2="${place(y2)}" vector-effect="non-scaling-stroke"/>`,
    )
    .join('')
}

function figures({ x, y, series }: LineChart): string {
  const parts = series.map(({ name, points }) => {
    const rows = thinned(points, ROWS_MAX).map(
      ([px, py]) => `<tr><td class="n">${shortNumber(px)}</td><td class="n">${shortNumber(py)}</td></tr>`,
    )
    return (
      `<table><caption>${escapeHtml(name)}</caption><thead><tr><th scope="col" class="n">${escapeHtml(x.label)}</th>` +
      `<th scope="col" class="n">${escapeHtml(y.label)}</th></tr></thead><tbody>${rows.join('')}</tbody></table>`
    )
  })
  const isThinned = series.some(({ points }) => points.length > ROWS_MAX)
  const what = isThinned ? `The figures, ${ROWS_MAX} of each curve` : 'The figures'
  return `<details><summary>${what}</summary><div class="figures">${parts.join('')}</div></details>`
}

function thinned<T>(points: readonly T[], most: number): readonly T[] {
  if (points.length <= most) return points
  const step = (points.length - 1) / (most - 1)
  return Array.from({ length: most }, (_, index) => points[Math.round(index * step)] as T)
}

function curveClass(index: number): string {
  return `c${index % COLOURS} d${Math.floor(index / COLOURS) % 3}`
}

function place(percent: number): string {
  return String(Number(percent.toFixed(2)))
}
