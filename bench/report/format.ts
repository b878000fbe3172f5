import type { Metric } from '../scenarios/scenario.ts'

const decimals: Record<Metric['unit'], number> = {
  '/s': 0,
  ms: 2,
  ns: 0,
  B: 1,
  KiB: 2,
  MiB: 1,
  cores: 2,
  '%': 3,
  '': 0,
}

/** A figure without its unit, `–` where there is none. */
export function formatValue(value: number | undefined, unit: Metric['unit']): string {
  if (value === undefined || Number.isNaN(value)) return '–'
  const digits = unit === 'ms' && value >= 100 ? 0 : decimals[unit]
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** A figure with its unit. */
export function formatFigure(value: number | undefined, unit: Metric['unit']): string {
  const text = formatValue(value, unit)
  if (unit === '' || text === '–') return text
  return unit === '/s' ? `${text}/s` : `${text} ${unit}`
}

/** `6.3 ×`; small ratios keep two digits. */
export function formatRatio(ratio: number | undefined): string {
  if (ratio === undefined || !Number.isFinite(ratio)) return '–'
  return `${ratio >= 10 ? ratio.toFixed(1) : ratio.toFixed(2)} ×`
}
