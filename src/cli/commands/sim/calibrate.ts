import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { CommandModule } from 'yargs'
import { GrapevineError } from '../../../core/errors.ts'
import { say, UsageError } from '../../faults.ts'
import { wholeNumber } from './numbers.ts'

interface CalibrateArguments {
  readonly write: string
  readonly repeat: string
  readonly skip: 'etcd' | undefined
  readonly only: string | undefined
  readonly json: boolean
}

export const calibrateCommand: CommandModule<object, CalibrateArguments> = {
  command: 'calibrate',
  describe: 'Measure what operations cost on this machine, and how well the models agree with real nodes',
  builder: yargs =>
    yargs
      .option('write', {
        type: 'string',
        requiresArg: true,
        default: '.grapevine/calibration.json',
        describe: 'file for what was measured; other simulator commands take it as --constants',
      })
      .option('repeat', {
        type: 'string',
        requiresArg: true,
        default: '3',
        describe: 'how often everything is measured; medians count',
      })
      .option('skip', {
        choices: ['etcd'] as const,
        requiresArg: true,
        describe: 'measure nothing that needs an etcd: links, gossip and routing structures are left',
      })
      .option('only', {
        type: 'string',
        requiresArg: true,
        describe:
          'measure one part of it, or several separated by commas: gossip, structures, etcd, traffic, clients; the rest is as shipped',
      })
      .conflicts('only', 'skip')
      .option('json', { type: 'boolean', default: false, describe: 'one JSON document on stdout' }),
  handler: async ({ write, repeat, skip, only, json }) => {
    const repetitions = wholeNumber('repeat', repeat, 1, 100)
    const calibration = await import('../../../../sim/calibrate/calibrate.ts')
    const { calibrationParts, partsWithoutEtcd } = calibration
    const all = skip === 'etcd' ? partsWithoutEtcd : calibrationParts
    const parts = only === undefined ? all : partsOf(only, calibrationParts)
    const found = calibration.lookForEtcd()
    if (parts.some(part => !partsWithoutEtcd.includes(part)) && 'missing' in found) {
      throw new GrapevineError(
        'ETCD_NOT_FOUND',
        `calibration needs a real etcd and none is on PATH: install ${found.missing}; or leave out what needs it with --skip etcd`,
      )
    }
    const { openLab } = await import('../../../../sim/calibrate/open-lab.ts')
    const stop = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => stop.abort(new Error('stopped')))
    const lab = openLab({ repetitions, signal: stop.signal, progress: say })
    const today = new Date().toISOString().slice(0, 10)
    const result = await calibration.calibrate(lab, { parts, today })
    await mkdir(dirname(write), { recursive: true })
    await writeFile(write, `${JSON.stringify(result.constants, undefined, 2)}\n`)
    const { isWithin } = await import('../../../../sim/calibrate/comparison.ts')
    if (json) console.log(JSON.stringify(result, undefined, 2))
    else {
      const { calibrationReport } = await import('../../../../sim/calibrate/calibration-report.ts')
      const { reportText } = await import('../../../../sim/report/report-text.ts')
      console.log(reportText(calibrationReport(result)))
    }
    say(`what was measured is in ${write}; other simulator commands use it with --constants ${write}`)
    process.exitCode = result.comparisons.every(isWithin) ? 0 : 1
  },
}

/** UsageError with those there are, when one is unknown. */
function partsOf<T extends string>(text: string, known: readonly T[]): readonly T[] {
  const parts = text.split(',')
  const unknown = parts.find(part => !known.some(each => each === part))
  if (unknown !== undefined)
    throw new UsageError(
      `only: there is no part ${unknown || 'without a name'}; there are ${known.join(', ')}`,
    )
  return known.filter(part => parts.includes(part))
}
