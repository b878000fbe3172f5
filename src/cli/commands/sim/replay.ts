import type { CommandModule } from 'yargs'
import { commit } from './commit.ts'
import { wholeNumber } from './numbers.ts'
import { runOf, runOptions, type RunArguments } from './run-options.ts'

interface ReplayArguments extends RunArguments {
  readonly seed: string
  readonly faults: string | undefined
  readonly detail: boolean
}

export const replayCommand: CommandModule<object, ReplayArguments> = {
  command: 'replay <seed>',
  describe: 'Run one seed again and print what happened, in order',
  builder: yargs =>
    yargs
      .positional('seed', { type: 'string', demandOption: true, describe: 'as printed by sim chaos' })
      .option('faults', {
        type: 'string',
        requiresArg: true,
        describe: 'only these of its faults, by number, like 0,3; or none',
      })
      .option('detail', { type: 'boolean', default: false, describe: 'every packet and frame too' })
      .options(runOptions),
  handler: async argv => {
    const { describeRun, replay } = await import('../../../../sim/chaos/chaos-command.ts')
    const code = commit()
    const result = await replay({
      seed: wholeNumber('seed', argv.seed, 0, 2 ** 32 - 1),
      isDetailed: argv.detail,
      keptFaults: indices(argv.faults),
      ...runOf(argv),
    })
    console.log(
      argv.json ? JSON.stringify({ commit: code, ...result }, undefined, 2) : describeRun(result, code),
    )
    process.exitCode = result.violations.length === 0 ? 0 : 1
  },
}

function indices(text: string | undefined): readonly number[] | undefined {
  if (text === undefined) return undefined
  return text === 'none' ? [] : text.split(',').map(part => wholeNumber('faults', part, 0, 100_000))
}
