import { constantMeanings, type ConstantName, type Constants } from '../constants/constants.ts'
import { GrapevineError } from '../../src/core/errors.ts'
import { convergenceReport } from './convergence-report.ts'
import { costsOf, usedConstants, type PointResult } from './point.ts'
import { parseScenario, pointsOf, type Scenario } from './scenario.ts'
import { sweep, type SweepOptions } from './sweep.ts'
import type { Report } from '../report/report.ts'

export interface ConvergenceOutcome {
  /** False: it was interrupted, and `document` and `report` are of what was finished. */
  readonly isComplete: boolean
  /** For JSON: a function of scenario, seed and constants alone. */
  readonly document: ConvergenceDocument
  readonly report: Report
}

interface ConvergenceDocument {
  readonly schema: 'grapevine-sim-convergence/1'
  readonly isComplete: boolean
  readonly scenario: Scenario
  readonly constants: Readonly<Partial<Record<ConstantName, { value: number; origin: string; unit: string }>>>
  readonly runs: readonly PointResult[]
}

/** Throws CONFIG_INVALID with every fault of the scenario. */
export async function converge(
  input: Readonly<Record<string, unknown>>,
  constants: Constants,
  options: Omit<SweepOptions, 'costs'>,
): Promise<ConvergenceOutcome> {
  const scenario = parseScenario(input)
  if (Array.isArray(scenario)) {
    const faults = (scenario as readonly { field: string; reason: string }[]).map(
      ({ field, reason }) => `${field}: ${reason}`,
    )
    throw new GrapevineError('CONFIG_INVALID', ['the scenario has mistakes:', ...faults].join('\n  '))
  }
  return outcomeOf(scenario as Scenario, constants, options)
}

async function outcomeOf(
  scenario: Scenario,
  constants: Constants,
  options: Omit<SweepOptions, 'costs'>,
): Promise<ConvergenceOutcome> {
  const points = pointsOf(scenario)
  const results = await sweep(points, { ...options, costs: costsOf(constants) })
  const finished = results.filter(result => result !== undefined)
  const isComplete = finished.length === points.length
  return {
    isComplete,
    document: {
      schema: 'grapevine-sim-convergence/1',
      isComplete,
      scenario,
      constants: Object.fromEntries(
        usedConstants.map(name => {
          const { value, origin } = constants.values[name]
          return [name, { value, origin, unit: constantMeanings[name] }]
        }),
      ),
      runs: finished,
    },
    report: convergenceReport({ scenario, constants, points, results: finished }),
  }
}
