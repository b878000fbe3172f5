import yargs from 'yargs'
import { packageVersion } from '../config/package-version.ts'
import { benchCommand } from './commands/bench.ts'
import { configCommand } from './commands/config.ts'
import { devCommand } from './commands/dev.ts'
import { devEtcdGuardCommand } from './commands/dev-etcd-guard.ts'
import { devNodeCommand } from './commands/dev-node.ts'
import { drainCommand } from './commands/drain.ts'
import { explainCommand } from './commands/explain.ts'
import { leaderCommand } from './commands/leader.ts'
import { modeCommand } from './commands/mode.ts'
import { nodesCommand } from './commands/nodes.ts'
import { routesCommand } from './commands/routes.ts'
import { sessionsCommand } from './commands/sessions.ts'
import { simCommand } from './commands/sim.ts'
import { startCommand } from './commands/start.ts'
import { traceCommand } from './commands/trace.ts'
import { statusCommand } from './commands/status.ts'
import { reportFault, UsageError } from './faults.ts'

const HELP_COLUMNS_MAX = 140

/** Runs one command line and ends the process with its exit code: 0, 1 failed, 2 usage or configuration. */
export async function main(args: readonly string[]): Promise<void> {
  // A reader that went away (`grapevine status | head -1`) is no fault of ours.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  let exitCode: number
  try {
    await parse(args)
    exitCode = Number(process.exitCode ?? 0)
  } catch (error) {
    exitCode = reportFault(error)
  }
  // What a library left open must not keep a finished command alive.
  process.stdout.write('', () => process.exit(exitCode))
}

/** Commands set `process.exitCode`, or throw what `reportFault` explains. */
async function parse(args: readonly string[]): Promise<void> {
  await yargs([...args])
    .scriptName('grapevine')
    .usage('$0 <command>\n\nA clustered MQTT broker.')
    .version(packageVersion())
    .locale('en')
    .parserConfiguration({
      'dot-notation': false,
      'camel-case-expansion': false,
      'duplicate-arguments-array': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .command(devCommand)
    .command(startCommand)
    .command(statusCommand)
    .command(nodesCommand)
    .command(leaderCommand)
    .command(sessionsCommand)
    .command(drainCommand)
    .command(modeCommand)
    .command(routesCommand)
    .command(explainCommand)
    .command(traceCommand)
    .command(configCommand)
    .command(benchCommand)
    .command(simCommand)
    .command(devNodeCommand)
    .command(devEtcdGuardCommand)
    .demandCommand(1, 'a command is missing')
    .strict()
    .wrap(Math.min(HELP_COLUMNS_MAX, process.stdout.columns || HELP_COLUMNS_MAX))
    .exitProcess(false)
    .fail((message: string | null, error: Error | undefined) => {
      throw error ?? new UsageError(message?.replaceAll('\n', ' ') ?? 'the command line cannot be understood')
    })
    .parseAsync()
}
