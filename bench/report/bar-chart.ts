import { escapeHtml } from './html-text.ts'

export interface Bar {
  label: string
  value: number
  /** The value as it is shown. */
  text: string
  /** Lowest and highest of the runs. */
  range: [number, number]
  /** CSS class that colours it. */
  colour: string
}

const rowHeight = 46
const barHeight = 18

/**
 * Horizontal bars as inline SVG. Lengths are percentages and text keeps its size, so that the same chart fits a
 * phone and a wide screen. The thin line over a bar spans the runs.
 */
export function barChart(title: string, bars: readonly Bar[]): string {
  const longest = Math.max(...bars.map(({ range, value }) => Math.max(range[1], value)), Number.MIN_VALUE)
  const percent = (value: number) => `${((100 * value) / longest).toFixed(2)}%`
  const rows = bars.map((bar, index) => {
    const top = index * rowHeight
    const middle = top + 22 + barHeight / 2
    return [
      `<text x="0" y="${top + 15}" class="label">${escapeHtml(bar.label)}</text>`,
      `<text x="100%" y="${top + 15}" class="value" text-anchor="end">${escapeHtml(bar.text)}</text>`,
      `<rect x="0" y="${top + 22}" width="100%" height="${barHeight}" class="track" rx="3"/>`,
      `<rect x="0" y="${top + 22}" width="${percent(bar.value)}" height="${barHeight}" class="${bar.colour}" rx="3"/>`,
      `<line x1="${percent(bar.range[0])}" x2="${percent(bar.range[1])}" y1="${middle}" y2="${middle}" class="range"/>`,
    ].join('')
  })
  const height = bars.length * rowHeight
  return `<svg class="bars" width="100%" height="${height}" role="img" aria-label="${escapeHtml(title)}">${rows.join('')}</svg>`
}
