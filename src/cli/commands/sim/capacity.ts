import { writeFile } from 'node:fs/promises'
import type { Argv, CommandModule } from 'yargs'
import { say } from '../../faults.ts'
import { progressBar } from '../../progress-bar.ts'
import { constantsOf, constantsOption } from './constants-option.ts'
import { givenFlags, parameterOptions } from './parameter-options.ts'

interface CapacityArguments {
  readonly sizes: string
  readonly constants: string | undefined
  readonly json: boolean
  readonly html: string | undefined
  readonly [flag: string]: unknown
}

/** Of the memory that is free, what a run may take. */
const FREE_SHARE = 0.8

export const capacityCommand: CommandModule<object, CapacityArguments> = {
  command: 'capacity',
  describe:
    'What so many clients take of nodes and etcd: routing structures built at full size, the rest counted',
  builder: async (yargs: Argv) => {
    const plan = await import('../../../../sim/capacity/capacity-plan.ts')
    const { flagOf } = await import('../../../../sim/parameters.ts')
    return yargs
      .options(parameterOptions(plan.workloadParameters, 'Workload:', flagOf))
      .options(parameterOptions(plan.limitParameters, 'Limits:', flagOf))
      .options(parameterOptions(plan.runParameters, 'Run:', flagOf))
      .option('sizes', {
        type: 'string',
        requiresArg: true,
        default: plan.defaultSizes,
        describe: 'further numbers of clients, separated by commas, or none: where the walls are',
      })
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
      }) as Argv<CapacityArguments>
  },
  handler: async argv => {
    const { capacityPlan } = await import('../../../../sim/capacity/capacity-plan.ts')
    const { runCapacity, capacityJson } = await import('../../../../sim/capacity/capacity-command.ts')
    const plan = capacityPlan(givenFlags(argv))
    const memoryMaxBytes = plan.run.memoryMax * 1e9 || process.availableMemory() * FREE_SHARE
    const constants = await constantsOf(argv.constants)
    const stop = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
    const { buildPlan } = await import('../../../../sim/capacity/build-plan.ts')
    say(`building needs about ${(buildPlan(plan, constants).bytes / 1e9).toFixed(1)} GB of memory`)
    const startedAtMs = performance.now()
    const bar = progressBar('building')
    const run = await runCapacity(plan, {
      constants,
      memoryMaxBytes,
      signal: stop.signal,
      onProgress: share => bar.show(share),
    }).finally(() => bar.close())
    const seconds = (performance.now() - startedAtMs) / 1000
    const peakGb = (process.resourceUsage().maxRSS * 1024) / 1e9
    const { capacityReport } = await import('../../../../sim/capacity/capacity-report.ts')
    const report = capacityReport(run, constants)
    if (argv.html !== undefined) {
      const { reportPage } = await import('../../../../sim/report/report-page.ts')
      await writeFile(argv.html, reportPage(report))
    }
    const { reportText } = await import('../../../../sim/report/report-text.ts')
    console.log(argv.json ? JSON.stringify(capacityJson(run, constants), undefined, 2) : reportText(report))
    say(`took ${seconds.toFixed(1)} s and ${peakGb.toFixed(2)} GB of memory at its largest`)
    process.exitCode = run.result.isComplete ? 0 : 1
  },
}
