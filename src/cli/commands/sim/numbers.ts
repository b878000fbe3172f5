import { UsageError } from '../../faults.ts'

/** The whole number that `--name` was given; UsageError outside from–to. */
export function wholeNumber(name: string, text: string, from: number, to: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN
  if (value >= from && value <= to) return value
  throw new UsageError(`${name}: expected a whole number from ${from} to ${to}, got ${text}`)
}
