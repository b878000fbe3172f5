import type { CommandModule } from 'yargs'
import { say, UsageError } from '../faults.ts'

interface BenchCommandArguments {
  readonly scenarios: readonly string[] | undefined
  readonly seconds: string
  readonly repeat: string
  readonly against: string
  readonly mqtt: string
  readonly json: string | undefined
  readonly html: string | undefined
  readonly list: boolean
}

export const benchCommand: CommandModule<object, BenchCommandArguments> = {
  command: 'bench [scenarios..]',
  describe: 'Measure this broker, and others beside it on the same core',
  builder: yargs =>
    yargs
      // The names are one argument given several times to yargs, of which the other commands want the last only.
      .parserConfiguration({
        'dot-notation': false,
        'camel-case-expansion': false,
        'duplicate-arguments-array': true,
        'parse-numbers': false,
        'parse-positional-numbers': false,
      })
      .positional('scenarios', { type: 'string', array: true, describe: 'which; all without a name' })
      .option('list', { type: 'boolean', default: false, describe: 'say which scenarios there are' })
      .option('seconds', {
        type: 'string',
        requiresArg: true,
        coerce: last,
        default: '3',
        describe: 'measured time of one run',
      })
      .option('repeat', {
        type: 'string',
        requiresArg: true,
        coerce: last,
        default: '3',
        describe: 'runs; medians are shown',
      })
      .option('against', {
        type: 'string',
        requiresArg: true,
        coerce: last,
        default: 'mosquitto,aedes',
        describe: 'brokers to compare with in the same run, or none',
      })
      .option('mqtt', {
        type: 'string',
        requiresArg: true,
        coerce: last,
        default: '3.1.1',
        describe: 'version: 3.1.1 or 5.0',
      })
      .option('json', {
        type: 'string',
        requiresArg: true,
        coerce: last,
        describe: 'file for the results as JSON, - for stdout',
      })
      .option('html', {
        type: 'string',
        requiresArg: true,
        coerce: last,
        describe: 'file for a report with charts',
      }),
  handler: async ({ scenarios = [], list, ...argv }) => {
    const bench = await import('../../../bench/bench-command.ts')
    if (list) {
      console.log(bench.listScenarios())
      return
    }
    const { seconds, repeat, against, mqtt, json, html } = argv
    const command = ['grapevine', ...process.argv.slice(2)].join(' ')
    const plan = bench.planBench({ scenarios, seconds, repeat, against, mqtt, json, html, command })
    if ('mistake' in plan) throw new UsageError(plan.mistake)
    const stop = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => stop.abort(new Error('stopped')))
    const table = json === '-' ? console.error : console.log
    const sound = await bench.executeBench(
      plan,
      { table, progress: say, json: text => process.stdout.write(text) },
      stop.signal,
    )
    process.exitCode = sound ? 0 : 1
  },
}

/** An option given more than once counts as the last, as with the other commands. */
function last(given: string | string[]): string {
  return Array.isArray(given) ? (given.at(-1) ?? '') : given
}
