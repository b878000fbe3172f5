const prefixes = [
  { from: 1e12, unit: 'T' },
  { from: 1e9, unit: 'G' },
  { from: 1e6, unit: 'M' },
  { from: 1e3, unit: 'k' },
] as const

/** A figure in at most four characters or so, as at the ticks of an axis: 0.05, 12, 1.5k, 20M. */
export function shortNumber(value: number): string {
  const size = Math.abs(value)
  for (const { from, unit } of prefixes) if (size >= from) return significant(value / from) + unit
  return significant(value)
}

/** Three significant digits, without the zeros at the end. */
function significant(value: number): string {
  if (value === 0) return '0'
  if (Math.abs(value) >= 100) return String(Math.round(value))
  return String(Number(value.toPrecision(3)))
}
