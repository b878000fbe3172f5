import { median } from '../../bench/report/statistics.ts'
import type { Constant, ConstantName } from '../constants/constants.ts'

/** One constant as it came out of each repetition. */
export interface Reading {
  readonly name: ConstantName
  readonly runs: readonly number[]
  /** What was done, without what came out. */
  readonly how: string
}

/** The median of the repetitions, and how far they were apart. Throws when that is no cost: the experiment went wrong. */
export function constantOf({ name, runs, how }: Reading): Constant {
  const value = rounded(median(runs))
  if (!(value > 0 && Number.isFinite(value)))
    throw new Error(
      `${name} came out as ${runs.join(', ')}: the machine was too busy to measure it, try again`,
    )
  const range = `${rounded(Math.min(...runs))} to ${rounded(Math.max(...runs))}`
  return { value, origin: 'measured', how: runs.length === 1 ? how : `${how}; ${runs.length} runs, ${range}` }
}

/** Three digits that count. */
export function rounded(value: number): number {
  return Number(value.toPrecision(3))
}
