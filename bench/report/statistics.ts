/** The middle value, of an even count the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** The median of each key over those rows that have it. */
export function medians(rows: readonly Record<string, number>[]): Record<string, number> {
  const keys = new Set(rows.flatMap(row => Object.keys(row)))
  return Object.fromEntries(
    [...keys].map(key => [key, median(rows.flatMap(row => (row[key] === undefined ? [] : [row[key]])))]),
  )
}

/** The row whose value of `key` is nearest to the median: what is shown where no median can be taken, as of curves. */
export function typicalRow<T extends { metrics: Record<string, number> }>(
  rows: readonly T[],
  key: string,
): T | undefined {
  const middle = median(rows.map(row => row.metrics[key] ?? Number.NaN))
  const distance = (row: T) => Math.abs((row.metrics[key] ?? Number.NaN) - middle)
  return [...rows].sort((a, b) => distance(a) - distance(b))[0]
}
