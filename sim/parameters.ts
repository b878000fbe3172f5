import { GrapevineError } from '../src/core/errors.ts'

/** A number that a simulator command can be told by a flag. */
export interface Parameter {
  readonly value: number
  readonly from: number
  readonly to: number
  readonly isWhole: boolean
  /** With its unit. */
  readonly describe: string
}

type Table = Readonly<Record<string, Parameter>>

/** One number per parameter of a table. */
export type ValuesOf<T extends Table> = { readonly [name in keyof T]: number }

/** A whole number, `value` by default, in [from, to]. */
export function whole(value: number, from: number, to: number, describe: string): Parameter {
  return { value, from, to, isWhole: true, describe }
}

/** Any number, `value` by default, in [from, to]. */
export function real(value: number, from: number, to: number, describe: string): Parameter {
  return { value, from, to, isWhole: false, describe }
}

/** `subscriptionsPerClient` is `--subscriptions-per-client`. */
export function flagOf(name: string): string {
  return name.replaceAll(/[A-Z0-9]+/g, part => `-${part.toLowerCase()}`)
}

/** What `given` says, by flag, and the defaults; adds to `faults` what is no such number, each with its flag. */
export function readParameters<T extends Table>(
  table: T,
  given: ReadonlyMap<string, string>,
  faults: string[],
): ValuesOf<T> {
  const values = Object.entries(table).map(([name, parameter]) => {
    const text = given.get(flagOf(name))
    const value = text === undefined ? parameter.value : numberIn(text, parameter)
    if (value === undefined) {
      const { from, to, isWhole } = parameter
      const range = `${isWhole ? 'a whole number' : 'a number'} from ${shown(from)} to ${shown(to)}`
      faults.push(`--${flagOf(name)}: expected ${range}, got ${text === '' ? 'nothing' : text}`)
    }
    return [name, value ?? parameter.value] as const
  })
  return Object.fromEntries(values) as ValuesOf<T>
}

function numberIn(text: string, { from, to, isWhole }: Parameter): number | undefined {
  if (!(isWhole ? /^\d+$/ : /^\d+(\.\d+)?$/).test(text)) return undefined
  const value = Number(text)
  return value >= from && value <= to ? value : undefined
}

function shown(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 9 })
}

/** Throws CONFIG_INVALID with all of them, if there are any. */
export function refuse(what: string, faults: readonly string[]): void {
  if (faults.length > 0)
    throw new GrapevineError('CONFIG_INVALID', `${what} makes no sense: ${faults.join('; ')}`)
}
