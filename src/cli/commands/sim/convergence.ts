import { availableParallelism } from 'node:os'
import type { CommandModule } from 'yargs'
import { progressBar } from '../../progress-bar.ts'
import { constantsOf, constantsOption } from './constants-option.ts'
import { reportOptions, writeReport, type ReportArguments } from './report-output.ts'
import { readScenario } from './scenario-file.ts'

interface ConvergenceArguments extends ReportArguments {
  readonly scenario: string | undefined
  readonly constants: string | undefined
  /** Scenario fields, as typed. */
  readonly [field: string]: unknown
}

export const convergenceCommand: CommandModule<object, ConvergenceArguments> = {
  command: 'convergence',
  describe: 'How fast subscriptions reach all nodes, by cluster size, rate, network and gossip settings',
  builder: async yargs => {
    const { scenarioFields } = await import('../../../../sim/convergence/scenario.ts')
    for (const [field, { description }] of Object.entries(scenarioFields)) {
      yargs.option(kebabCase(field), {
        ...{ type: 'string', requiresArg: true, describe: description ?? '' },
        ...(kebabCase(field) === field ? {} : { alias: field }),
        group: 'The scenario; where it makes sense several values, like 3,20,100:',
      })
    }
    return yargs
      .option('scenario', {
        type: 'string',
        requiresArg: true,
        describe:
          'YAML file of these fields, or the name of one that comes with Grapevine; flags overrule it',
      })
      .options({ ...constantsOption, ...reportOptions })
  },
  handler: async argv => {
    const { scenarioFields } = await import('../../../../sim/convergence/scenario.ts')
    const { converge } = await import('../../../../sim/convergence/convergence-command.ts')
    const constants = await constantsOf(argv.constants)
    const input: Record<string, unknown> =
      argv.scenario === undefined ? {} : await readScenario(argv.scenario)
    for (const field of Object.keys(scenarioFields)) {
      const text = argv[field]
      if (typeof text === 'string') input[field] = valueOf(field, text)
    }
    const stop = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
    const bar = progressBar('simulating')
    try {
      const { isComplete, document, report } = await converge(input, constants, {
        threads: availableParallelism(),
        onProgress: share => bar.show(share),
        signal: stop.signal,
      })
      bar.close()
      await writeReport(argv, report, document)
      process.exitCode = isComplete ? 0 : 1
    } finally {
      bar.close()
    }
  },
}

function kebabCase(field: string): string {
  return field.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

/** What a flag says: a number, a list, a partition like 10-20:zone; anything else stays text, to be refused with its field. */
function valueOf(field: string, text: string): unknown {
  if (field === 'partition') {
    const [, from, to, cut] = /^([\d.]+)-([\d.]+):([a-z-]+)$/.exec(text) ?? []
    return cut === undefined ? text : { from: Number(from), to: Number(to), cut }
  }
  if (text.includes(',')) return text.split(',').map(part => valueOf(field, part.trim()))
  if (text === 'true' || text === 'false') return text === 'true'
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}
