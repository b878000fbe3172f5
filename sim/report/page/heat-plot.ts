import { escapeHtml } from '../html-text.ts'
import type { HeatMap } from '../report.ts'
import { shortNumber } from './number-text.ts'
import { scaleOf } from './scale.ts'

/**
 * A table whose cells are the darker the higher their value, on a logarithmic scale when the values span more than a decade: to
 * be read as figures, and seen as a map.
 */
export function heatPlot({ title, x, y, values, unit }: HeatMap): string {
  const known = values.flat().filter(value => value !== undefined)
  const least = Math.min(...known.filter(value => value > 0))
  const scale = scaleOf(known, Math.max(...known) > 10 * least, { ticks: 1 })
  const head = x.values.map(value => `<th scope="col" class="n">${escapeHtml(value)}</th>`)
  const rows = y.values.map((name, row) => {
    const cells = x.values.map((_, column) => {
      const value = values[row]?.[column]
      if (value === undefined) return '<td class="n unknown">not run</td>'
      const heat = Math.round(scale.at(value))
      return `<td class="n heat${heat > 55 ? ' hot' : ''}" style="--heat:${heat}%">${shortNumber(value)}</td>`
    })
    return `<tr><th scope="row" class="n">${escapeHtml(name)}</th>${cells.join('')}</tr>`
  })
  return [
    `<figure><figcaption>${escapeHtml(title)}</figcaption>`,
    `<p class="y-label">${escapeHtml(unit)}; down: ${escapeHtml(y.label)}; across: ${escapeHtml(x.label)}</p>`,
    `<div class="scroll"><table class="map"><thead><tr><th><span class="hidden">${escapeHtml(`${y.label} by ${x.label}`)}</span></th>${head.join('')}</tr></thead>`,
    `<tbody>${rows.join('')}</tbody></table></div></figure>`,
  ].join('\n')
}
