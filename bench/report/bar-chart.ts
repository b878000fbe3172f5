import { escapeHtml } from '../../sim/report/html-text.ts'

export interface Bar {
  label: string
  value: number
  /** The value as it is shown. */
  text: string
  /** A line below the bar; may be empty. */
  note: string
  /** Lowest and highest of the runs. */
  range: [number, number]
  /** CSS class that colours it. */
  colour: string
}

const barTop = 22
const barHeight = 18
const barGap = 8
const noteHeight = 18

/**
 * Horizontal bars as inline SVG. Lengths are percentages and text keeps its size, so that the same chart fits a
 * phone and a wide screen. The thin line over a bar spans the runs.
 */
export function barChart(title: string, bars: readonly Bar[]): string {
  const longest = Math.max(...bars.map(({ range, value }) => Math.max(range[1], value)), Number.MIN_VALUE)
  const percent = (value: number) => `${((100 * value) / longest).toFixed(2)}%`
  const rows: string[] = []
  let top = 0
  for (const bar of bars) {
    const y = top + barTop
    const middle = y + barHeight / 2
    rows.push(
      `<text x="0" y="${top + 15}" class="label">${escapeHtml(bar.label)}</text>`,
      `<text x="100%" y="${top + 15}" class="value" text-anchor="end">${escapeHtml(bar.text)}</text>`,
      `<rect x="0" y="${y}" width="100%" height="${barHeight}" class="track" rx="3"/>`,
      `<rect x="0" y="${y}" width="${percent(bar.value)}" height="${barHeight}" class="${bar.colour}" rx="3"/>`,
      `<line x1="${percent(bar.range[0])}" x2="${percent(bar.range[1])}" y1="${middle}" y2="${middle}" class="range"/>`,
    )
    top = y + barHeight
    if (bar.note !== '') {
      rows.push(`<text x="0" y="${top + 15}" class="axis">${escapeHtml(bar.note)}</text>`)
      top += noteHeight
    }
    top += barGap
  }
  return `<svg class="bars" width="100%" height="${top}" role="img" aria-label="${escapeHtml(title)}">${rows.join('')}</svg>`
}
