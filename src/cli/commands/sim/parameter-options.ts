import type { Options } from 'yargs'
import type { Parameter } from '../../../../sim/parameters.ts'

/** Parameters of a simulator command as options of the command line, texts until the command has checked all of them. */
export function parameterOptions(
  parameters: Readonly<Record<string, Parameter>>,
  group: string,
  flagOf: (name: string) => string,
): Record<string, Options> {
  const options = Object.entries(parameters).map(([name, { value, describe }]) => {
    const option: Options = {
      type: 'string',
      requiresArg: true,
      group,
      describe,
      defaultDescription: String(value),
    }
    return [flagOf(name), option] as const
  })
  return Object.fromEntries(options)
}

/** What was given on the command line, by flag. */
export function givenFlags(argv: Readonly<Record<string, unknown>>): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(argv).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}
