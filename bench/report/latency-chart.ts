import { escapeHtml } from '../../sim/report/html-text.ts'

export interface LatencyLine {
  label: string
  colour: string
  curve: readonly [percentile: number, ms: number][]
}

const height = 240
const bottom = 22
const marks = [50, 90, 99, 99.9, 99.99]

/**
 * Latency by percentile, both axes logarithmic: each step to the right is ten times rarer. The plot stretches with
 * the page (nested SVG without aspect ratio), the text does not.
 */
export function latencyChart(title: string, lines: readonly LatencyLine[]): string {
  const values = lines.flatMap(({ curve }) =>
    curve.filter(([percentile]) => percentile >= 50).map(([, ms]) => ms),
  )
  const low = Math.floor(Math.log10(Math.max(Math.min(...values), 0.001)))
  const high = Math.max(Math.ceil(Math.log10(Math.max(...values, 0.001))), low + 1)
  const y = (ms: number) => ((high - Math.log10(Math.max(ms, 0.001))) / (high - low)) * (height - bottom)
  const decades = Array.from({ length: high - low + 1 }, (_, index) => low + index)
  const grid = decades.map(decade => {
    const at = y(10 ** decade).toFixed(1)
    const text = `<text x="0" y="${Math.max(Number(at) - 3, 10)}" class="axis">${escapeHtml(decadeLabel(decade))}</text>`
    return `<line x1="0" x2="100%" y1="${at}" y2="${at}" class="grid"/>${text}`
  })
  const ticks = marks.map(mark => {
    const anchor = mark === marks.at(-1) ? 'end' : 'middle'
    return `<text x="${x(mark).toFixed(1)}%" y="${height - 6}" class="axis" text-anchor="${anchor}">${mark}%</text>`
  })
  const plots = lines.map(({ curve, colour }) => {
    const points = curve
      .filter(([percentile]) => percentile >= 50 && percentile <= 99.99)
      .map(([percentile, ms]) => `${x(percentile).toFixed(2)},${y(ms).toFixed(1)}`)
    return `<polyline points="${points.join(' ')}" class="${colour}" fill="none" vector-effect="non-scaling-stroke"/>`
  })
  const legend = lines.map(
    ({ label, colour }) => `<span class="key"><i class="${colour}"></i>${escapeHtml(label)}</span>`,
  )
  return [
    `<svg class="lines" width="100%" height="${height}" role="img" aria-label="${escapeHtml(title)}">`,
    ...grid,
    ...ticks,
    `<svg width="100%" height="${height}" viewBox="0 0 100 ${height}" preserveAspectRatio="none">${plots.join('')}</svg>`,
    `</svg><p class="legend">${legend.join('')}</p>`,
  ].join('')
}

/** Percent of the width; the left is kept free for the labels of the other axis. */
function x(percentile: number): number {
  const rarity = -Math.log10(Math.max(1 - percentile / 100, 1e-4))
  const first = -Math.log10(0.5)
  return 14 + (86 * (rarity - first)) / (4 - first)
}

function decadeLabel(decade: number): string {
  return decade >= 3
    ? `${10 ** (decade - 3)} s`
    : decade >= 0
      ? `${10 ** decade} ms`
      : `${10 ** (decade + 3)} µs`
}
