import { execFileSync } from 'node:child_process'
import type { CommandModule } from 'yargs'
import { packageVersion } from '../../config/package-version.ts'
import { say, UsageError } from '../faults.ts'

interface RunArguments {
  readonly nodes: string
  readonly minutes: string
  readonly clients: string
  readonly json: boolean
}

interface ChaosArguments extends RunArguments {
  readonly seeds: string
  readonly from: string
  readonly shrink: boolean
}

interface ReplayArguments extends RunArguments {
  readonly seed: string
  readonly faults: string | undefined
  readonly detail: boolean
}

const runOptions = {
  nodes: {
    type: 'string',
    requiresArg: true,
    default: '3',
    describe: 'brokers in the simulated cluster, 2 to 20',
  },
  minutes: {
    type: 'string',
    requiresArg: true,
    default: '1',
    describe: 'virtual time under faults, up to 600; healing comes on top',
  },
  clients: {
    type: 'string',
    choices: ['roaming', 'sticky'],
    default: 'roaming',
    describe: 'whether clients go from node to node, and their sessions with them, or keep to one',
  },
  json: { type: 'boolean', default: false, describe: 'one JSON document on stdout' },
} as const

const chaosCommand: CommandModule<object, ChaosArguments> = {
  command: 'chaos',
  describe: 'Throw faults at simulated clusters, seed after seed, and check what must hold',
  builder: yargs =>
    yargs
      .option('seeds', { type: 'string', requiresArg: true, default: '20', describe: 'how many runs' })
      .option('from', { type: 'string', requiresArg: true, default: '1', describe: 'the first seed' })
      .option('shrink', {
        type: 'boolean',
        default: false,
        describe: 'find out which faults a failure needs',
      })
      .options(runOptions),
  handler: async argv => {
    const { chaos, describeFailure } = await import('../../../sim/chaos/chaos-command.ts')
    const stop = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
    const plan = {
      from: integer('from', argv.from, 0, 2 ** 32 - 1),
      seeds: integer('seeds', argv.seeds, 1, 1_000_000),
      isShrinking: argv.shrink,
      commit: commit(),
      ...runOf(argv),
    }
    const summary = await chaos(
      plan,
      ({ seed }, failure) => {
        if (failure !== undefined && !argv.json) console.log(describeFailure(failure))
        else if ((seed - plan.from + 1) % 50 === 0) say(`${seed - plan.from + 1} of ${plan.seeds} seeds`)
      },
      stop.signal,
    )
    const { seeds, failed, publishes, deliveries, virtualMs } = summary
    if (argv.json) console.log(JSON.stringify(summary, undefined, 2))
    else
      console.log(
        `${seeds} seeds, ${failed.length} failed; ${Math.round(virtualMs / 60_000)} virtual minutes, ` +
          `${publishes} messages published, ${deliveries} delivered`,
      )
    process.exitCode = failed.length === 0 && seeds === plan.seeds ? 0 : 1
  },
}

const replayCommand: CommandModule<object, ReplayArguments> = {
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
    const { runChaos } = await import('../../../sim/chaos/chaos-run.ts')
    const { describeRun } = await import('../../../sim/chaos/chaos-command.ts')
    const result = await runChaos({
      seed: integer('seed', argv.seed, 0, 2 ** 32 - 1),
      isDetailed: argv.detail,
      keptFaults: indices(argv.faults),
      ...runOf(argv),
    })
    console.log(argv.json ? JSON.stringify(result, undefined, 2) : describeRun(result))
    process.exitCode = result.violations.length === 0 ? 0 : 1
  },
}

export const simCommand: CommandModule = {
  command: 'sim',
  describe: 'Simulate clusters: the production code under virtual time, network, etcd and disks',
  builder: yargs =>
    yargs
      .command(chaosCommand)
      .command(replayCommand)
      .demandCommand(1, 'say what to simulate: chaos or replay'),
  handler: () => undefined,
}

function runOf({ nodes, minutes, clients }: RunArguments): {
  nodes: number
  minutes: number
  isRoaming: boolean
} {
  return {
    nodes: integer('nodes', nodes, 2, 20),
    minutes: integer('minutes', minutes, 1, 600),
    isRoaming: clients === 'roaming',
  }
}

function integer(name: string, text: string, from: number, to: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN
  if (value >= from && value <= to) return value
  throw new UsageError(`${name}: expected a whole number from ${from} to ${to}, got ${text}`)
}

function indices(text: string | undefined): readonly number[] | undefined {
  if (text === undefined) return undefined
  return text === 'none' ? [] : text.split(',').map(part => integer('faults', part, 0, 100_000))
}

/** Of the working tree, or of the package. */
function commit(): string {
  try {
    const run = (args: readonly string[]): string =>
      execFileSync('git', [...args], {
        cwd: import.meta.dirname,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim()
    const hash = run(['rev-parse', '--short', 'HEAD'])
    return run(['status', '--porcelain', '--untracked-files=no']) === '' ? hash : `${hash} with changes`
  } catch {
    return packageVersion()
  }
}
