import type { Argv, CommandModule } from 'yargs'
import { stringify } from 'yaml'
import { configKeys } from '../../config/config-keys.ts'
import { loadConfig, resolveConfig, type ResolvedConfig } from '../../config/load-config.ts'
import { GrapevineError } from '../../core/errors.ts'
import { addConfigFlags, configFlags } from '../config-flags.ts'
import { say } from '../faults.ts'

interface CheckArguments {
  readonly file: string
  readonly json: boolean
}

interface PrintArguments {
  readonly config?: string | undefined
  readonly json: boolean
}

const checkCommand: CommandModule<object, CheckArguments> = {
  command: 'check <file>',
  describe: 'Validate a configuration file; every mistake is listed',
  builder: yargs =>
    withCommon(yargs).positional('file', {
      type: 'string',
      demandOption: true,
      describe: 'configuration file (YAML)',
    }),
  handler: async argv => {
    try {
      await loadConfig({ file: argv.file, env: process.env, flags: configFlags({ ...argv }) })
    } catch (error) {
      if (!argv.json || !(error instanceof GrapevineError)) throw error
      console.log(
        JSON.stringify({
          ok: false,
          code: error.code,
          faults: error.message
            .split('\n')
            .slice(1)
            .map(line => line.trim()),
        }),
      )
      process.exitCode = 2
      return
    }
    console.log(argv.json ? JSON.stringify({ ok: true, faults: [] }) : `${argv.file} is fine`)
  },
}

const printCommand: CommandModule<object, PrintArguments> = {
  command: 'print',
  describe: 'Show the effective configuration, and where each value comes from',
  builder: yargs =>
    withCommon(yargs).option('config', {
      type: 'string',
      requiresArg: true,
      describe: 'configuration file (YAML)',
    }),
  handler: async argv => {
    const resolved = await resolveConfig({
      file: argv.config,
      env: process.env,
      flags: configFlags({ ...argv }),
    })
    const values = effectiveValues(resolved)
    console.log(
      argv.json ? JSON.stringify({ values, faults: resolved.crossFaults }, null, 2) : asYaml(values),
    )
    if (argv.json) return
    for (const fault of resolved.crossFaults) say(`would not start: ${fault}`)
  },
}

export const configCommand: CommandModule = {
  command: 'config <command>',
  describe: 'Check or show the configuration',
  builder: yargs =>
    yargs.command(checkCommand).command(printCommand).demandCommand(1, 'config check FILE, or config print?'),
  handler: () => undefined,
}

function withCommon<T>(yargs: Argv<T>): Argv<T & { json: boolean }> {
  return addConfigFlags(yargs).option('json', {
    type: 'boolean',
    default: false,
    describe: 'one JSON document on stdout',
  })
}

interface EffectiveValue {
  readonly value: unknown
  readonly origin: string
}

function effectiveValues({ config, origins }: ResolvedConfig): Record<string, EffectiveValue> {
  return Object.fromEntries(
    configKeys().map(({ path, secret }) => {
      const value = path
        .split('.')
        .reduce<unknown>((section, name) => (section as Record<string, unknown>)[name], config)
      const shown = secret && value !== undefined ? '***' : (value ?? null)
      return [path, { value: shown, origin: origins.get(path) ?? 'default' }]
    }),
  )
}

/** YAML that could be a configuration file, each line with its origin as a comment. */
function asYaml(values: Record<string, EffectiveValue>): string {
  const lines: string[] = []
  let open: readonly string[] = []
  for (const [path, { value, origin }] of Object.entries(values)) {
    const sections = path.split('.')
    const name = sections.pop() ?? path
    sections.forEach((section, depth) => {
      if (open[depth] !== section || open.slice(0, depth).some((outer, index) => outer !== sections[index])) {
        lines.push(`${'  '.repeat(depth)}${section}:`)
      }
    })
    open = sections
    const text =
      value === null ? '' : ` ${stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim()}`
    const line = `${'  '.repeat(sections.length)}${value === null ? '# ' : ''}${name}:${text}`
    lines.push(`${line.padEnd(50)} # ${origin}`)
  }
  return lines.join('\n')
}
