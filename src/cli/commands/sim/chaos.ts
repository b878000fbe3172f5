import { availableParallelism } from 'node:os'
import type { CommandModule } from 'yargs'
import { progressBar } from '../../progress-bar.ts'
import { commit } from './commit.ts'
import { wholeNumber } from './numbers.ts'
import { runOf, runOptions, type RunArguments } from './run-options.ts'

interface ChaosArguments extends RunArguments {
  readonly seeds: string
  readonly from: string
  readonly shrink: boolean
  readonly workers: string | undefined
}

export const chaosCommand: CommandModule<object, ChaosArguments> = {
  command: 'chaos',
  describe: 'Throw faults at simulated clusters, seed after seed, and check what must hold',
  builder: yargs =>
    yargs
      .option('seeds', { type: 'string', requiresArg: true, default: '20', describe: 'how many runs' })
      .option('from', { type: 'string', requiresArg: true, default: '1', describe: 'the first seed' })
      .option('shrink', {
        type: 'boolean',
        default: true,
        describe: 'find out which of its faults a failure needs; --no-shrink saves the time',
      })
      .option('workers', {
        type: 'string',
        requiresArg: true,
        describe: 'seeds run at once, one per processor unless given; the results are the same',
      })
      .options(runOptions),
  handler: async argv => {
    const { chaos, describeFailure, describeSummary } = await import('../../../../sim/chaos/chaos-command.ts')
    const stop = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
    const plan = {
      from: wholeNumber('from', argv.from, 0, 2 ** 32 - 1),
      seeds: wholeNumber('seeds', argv.seeds, 1, 1_000_000),
      isShrinking: argv.shrink,
      commit: commit(),
      threads:
        argv.workers === undefined ? availableParallelism() : wholeNumber('workers', argv.workers, 1, 256),
      ...runOf(argv),
    }
    const bar = progressBar(`${plan.seeds} seeds`)
    const summary = await chaos(
      plan,
      ({ seed }, failure) => {
        if (failure !== undefined && !argv.json) {
          bar.close()
          console.log(describeFailure(failure))
        }
        bar.show((seed - plan.from + 1) / plan.seeds)
      },
      stop.signal,
    ).finally(() => bar.close())
    console.log(argv.json ? JSON.stringify(summary, undefined, 2) : describeSummary(summary))
    process.exitCode = summary.failed.length === 0 && !summary.isInterrupted ? 0 : 1
  },
}
