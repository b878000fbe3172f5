import type { Argv, Options } from 'yargs'
import { configKeys } from '../config/config-keys.ts'

/** Makes every configuration key a flag. Values are taken as texts: the configuration says what fits, for all sources alike. */
export function addConfigFlags<T>(yargs: Argv<T>): Argv<T> {
  yargs.options(configOptions())
  return yargs
}

function configOptions(): Record<string, Options> {
  return Object.fromEntries(
    configKeys().map(({ path, kind, description, choices, defaultValue }) => {
      const values = choices === undefined ? '' : ` (${choices.join(', ')})`
      const option: Options = {
        type: kind === 'boolean' ? 'boolean' : 'string',
        requiresArg: kind !== 'boolean',
        describe: description + values,
        group: 'Configuration:',
        ...(defaultValue === undefined ? {} : { defaultDescription: describe(defaultValue) }),
      }
      return [path, option]
    }),
  )
}

/** The configuration flags that were given, by key. */
export function configFlags(argv: Readonly<Record<string, unknown>>): Record<string, string | boolean> {
  const flags: Record<string, string | boolean> = {}
  for (const { path } of configKeys()) {
    const value = argv[path]
    if (typeof value === 'string' || typeof value === 'boolean') flags[path] = value
  }
  return flags
}

function describe(value: unknown): string {
  return Array.isArray(value) ? value.join(',') || 'none' : String(value)
}
