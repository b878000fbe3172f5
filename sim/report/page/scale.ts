import { scaleLinear, scaleLog } from 'd3-scale'
import { shortNumber } from './number-text.ts'

/** An axis: where a value lies, in percent of its length, and what is written along it. */
export interface Scale {
  readonly at: (value: number) => number
  readonly ticks: readonly { readonly at: number; readonly text: string }[]
}

interface ScaleOptions {
  /** About how many. */
  readonly ticks: number
  /** Begins at zero, or, logarithmic, below the least value: bars show how much, and none may vanish. Ends at a round value. */
  readonly hasZero?: boolean
}

/**
 * An axis that holds all the values. A linear one begins at zero when it must or nearly does; a logarithmic one begins at the least
 * value above zero, and what is not above zero lies at its beginning.
 */
export function scaleOf(values: readonly number[], isLogarithmic: boolean, options: ScaleOptions): Scale {
  const finite = values.filter(Number.isFinite)
  return isLogarithmic ? logarithmic(finite, options) : linear(finite, options)
}

function linear(values: readonly number[], { ticks, hasZero }: ScaleOptions): Scale {
  const [least, most] = extent(values, [0, 1])
  const startsAtZero = hasZero === true || (least > 0 && least < most / 2)
  const low = startsAtZero ? Math.min(0, least) : least
  const scale = scaleLinear([low, most === low ? low + 1 : most], [0, 100])
  if (hasZero === true) scale.nice(ticks)
  return {
    at: value => clamped(scale(value)),
    ticks: scale.ticks(ticks).map(value => ({ at: scale(value), text: shortNumber(value) })),
  }
}

function logarithmic(values: readonly number[], { ticks, hasZero }: ScaleOptions): Scale {
  const [least, most] = extent(
    values.filter(value => value > 0),
    [1, 10],
  )
  const from = hasZero === true ? least / 2 : least
  const scale = scaleLog([from, most === least ? least * 10 : most], [0, 100]).nice()
  const [low = least, high = most] = scale.domain()
  const decades = Math.round(Math.log10(high / low))
  // Over few decades their halves and fifths are named too.
  const steps = decades <= ticks / 3 ? [1, 2, 5] : [1]
  const every = Math.max(1, Math.ceil(decades / ticks))
  const marks: number[] = []
  for (let decade = Math.round(Math.log10(low)); decade <= Math.round(Math.log10(high)); decade += every)
    for (const step of steps) if (step * 10 ** decade <= high * 1.001) marks.push(step * 10 ** decade)
  return {
    at: value => (value > 0 ? clamped(scale(value)) : 0),
    ticks: marks.map(value => ({ at: clamped(scale(value)), text: shortNumber(value) })),
  }
}

function extent(values: readonly number[], otherwise: [number, number]): [number, number] {
  if (values.length === 0) return otherwise
  let [least, most] = [Infinity, -Infinity]
  for (const value of values) {
    least = Math.min(least, value)
    most = Math.max(most, value)
  }
  return [least, most]
}

function clamped(percent: number): number {
  return Math.min(100, Math.max(0, percent))
}
