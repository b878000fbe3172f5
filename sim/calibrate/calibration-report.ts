import { constantMeanings, shippedConstants, type ConstantName } from '../constants/constants.ts'
import type { Report, Section } from '../report/report.ts'
import type { Calibration } from './calibrate.ts'
import { errorPercent, isWithin, type Comparison } from './comparison.ts'
import { rounded } from './reading.ts'

/** The calibration for a reader: what was measured, and how far the models are from the real thing. */
export function calibrationReport({ constants, comparisons }: Calibration): Report {
  const names = Object.keys(constantMeanings) as ConstantName[]
  return {
    title: 'Calibration of the simulator',
    subtitle: `${constants.measuredOn}, ${constants.machine}`,
    sections: [
      {
        heading: 'What operations cost here',
        prose: 'Medians of the runs, beside the constants that come with this version.',
        tables: [
          {
            columns: [
              { heading: 'constant' },
              { heading: 'here', isNumeric: true },
              { heading: 'shipped', isNumeric: true },
              { heading: 'origin' },
              { heading: 'is' },
            ],
            rows: names.map(name => {
              const { value, origin } = constants.values[name]
              const shipped = String(shippedConstants.values[name].value)
              return [name, String(value), shipped, origin, constantMeanings[name]]
            }),
          },
        ],
      },
      ...(comparisons.length > 0 ? [comparisonSection(comparisons)] : []),
    ],
  }
}

function comparisonSection(comparisons: readonly Comparison[]): Section {
  const outside = comparisons.filter(comparison => !isWithin(comparison)).length
  const verdict =
    outside === 0 ? 'All are within the error stated.' : `${outside} are outside the error stated.`
  return {
    heading: 'Model against measurement',
    prose: `The models of the simulator commands with these constants, beside real nodes and a real etcd under the same load. ${verdict}`,
    tables: [
      {
        columns: [
          { heading: 'what' },
          { heading: 'unit' },
          { heading: 'model', isNumeric: true },
          { heading: 'real', isNumeric: true },
          { heading: 'error', isNumeric: true },
          { heading: 'stated' },
          { heading: 'verdict' },
        ],
        rows: comparisons.map(comparison => [
          comparison.what,
          comparison.unit,
          String(rounded(comparison.model)),
          String(rounded(comparison.real)),
          `${errorPercent(comparison).toFixed(0)} %`,
          toleranceText(comparison),
          isWithin(comparison) ? { text: 'within', verdict: 'good' } : { text: 'outside', verdict: 'bad' },
        ]),
      },
    ],
  }
}

function toleranceText({ tolerance, unit }: Comparison): string {
  const percent = (share: number): string => `${Math.round(share * 100)} %`
  const { better, worse, floor } = tolerance
  const range =
    better === worse ? `±${percent(better)}` : `${percent(better)} better, ${percent(worse)} worse`
  return floor === undefined ? range : `${range}, or ${floor} ${unit}`
}
