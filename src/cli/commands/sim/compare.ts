import { writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import type { Argv, CommandModule } from 'yargs'
import { progressBar } from '../../progress-bar.ts'
import { constantsOf, constantsOption } from './constants-option.ts'
import { givenFlags, parameterOptions } from './parameter-options.ts'

interface CompareArguments {
  readonly constants: string | undefined
  readonly json: boolean
  readonly html: string | undefined
  readonly [flag: string]: unknown
}

export const compareCommand: CommandModule<object, CompareArguments> = {
  command: 'compare',
  describe:
    'This architecture beside others on one workload: what is measured, what is simulated, what is assumed',
  builder: async (yargs: Argv) => {
    const capacity = await import('../../../../sim/capacity/capacity-plan.ts')
    const { compareParameters } = await import('../../../../sim/compare/compare-plan.ts')
    const { flagOf } = await import('../../../../sim/parameters.ts')
    return yargs
      .options(parameterOptions(capacity.workloadParameters, 'Workload:', flagOf))
      .options(parameterOptions(capacity.limitParameters, 'Limits:', flagOf))
      .options(parameterOptions(compareParameters, 'Comparison:', flagOf))
      .options(constantsOption)
      .option('html', {
        type: 'string',
        requiresArg: true,
        describe: 'write the report as a page to this file',
      })
      .option('json', {
        type: 'boolean',
        default: false,
        describe: 'one JSON document on stdout',
      }) as Argv<CompareArguments>
  },
  handler: async argv => {
    const { comparePlan } = await import('../../../../sim/compare/compare-plan.ts')
    const { runCompare, compareJson } = await import('../../../../sim/compare/compare-command.ts')
    const { compareReport } = await import('../../../../sim/compare/compare-report.ts')
    const plan = comparePlan(givenFlags(argv))
    const constants = await constantsOf(argv.constants)
    const stop = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
    const bar = progressBar('simulating')
    const result = await runCompare(plan, {
      constants,
      threads: availableParallelism(),
      signal: stop.signal,
      onProgress: (done, total) => bar.show(done / total),
    }).finally(() => bar.close())
    const report = compareReport(result)
    if (argv.html !== undefined) {
      const { reportPage } = await import('../../../../sim/report/report-page.ts')
      await writeFile(argv.html, reportPage(report))
    }
    const { reportText } = await import('../../../../sim/report/report-text.ts')
    console.log(argv.json ? JSON.stringify(compareJson(result), undefined, 2) : reportText(report))
    process.exitCode = result.isComplete ? 0 : 1
  },
}
