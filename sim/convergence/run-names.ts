/**
 * How the runs of a sweep are told apart in its report: by the fields that differ between them.
 */
import type { Constants } from '../constants/constants.ts'
import type { Cell, Table } from '../report/report.ts'
import type { PointResult, PointSettings } from './point.ts'
import { sweptFields, type Scenario } from './scenario.ts'

/** A sweep that has ended, or was ended. */
export interface Convergence {
  readonly scenario: Scenario
  readonly constants: Constants
  /** All that were asked for, and the results of those that were finished. */
  readonly points: readonly PointSettings[]
  readonly results: readonly PointResult[]
}

export type SweptField = (typeof sweptFields)[number]

/** In words: the field, and one value of it. */
export const fieldTexts: Record<SweptField, { heading: string; text: (value: string | number) => string }> = {
  profile: { heading: 'profile', text: value => `${value}` },
  nodes: { heading: 'nodes', text: value => `${value} nodes` },
  changesPerSecond: { heading: 'changes/s', text: value => `${value}/s` },
  batchIntervalMs: { heading: 'batch ms', text: value => `batch ${value} ms` },
  gossipDegree: { heading: 'degree', text: value => `degree ${value}` },
  heartbeatMs: { heading: 'heartbeat ms', text: value => `heartbeat ${value} ms` },
  loss: { heading: 'loss %', text: value => `${Number(value) * 100} % loss` },
}

/** How many runs a chart has room for. */
export const CURVES_MAX = 8

/** Those that have figures. */
export function soundRuns({ results }: Convergence): readonly PointResult[] {
  return results.filter(({ fault }) => fault === undefined)
}

/** Fields that differ between runs; the nodes when none does. */
function variedFields({ scenario }: Convergence): readonly SweptField[] {
  const varied = sweptFields.filter(field => scenario[field].length > 1)
  return varied.length === 0 ? ['nodes'] : varied
}

/** A table of runs: how each differs from the others, then what the headings say. */
export function runTable(
  convergence: Convergence,
  headings: readonly string[],
  rows: readonly (readonly Cell[])[],
): Table {
  const fields = variedFields(convergence)
  return {
    columns: [
      ...fields.map(field => ({ heading: fieldTexts[field].heading, isNumeric: field !== 'profile' })),
      ...headings.map(heading => ({ heading, isNumeric: true })),
    ],
    rows,
  }
}

/** The first cells of a run in a `runTable`. */
export function runCells(convergence: Convergence, { settings }: PointResult): readonly string[] {
  return variedFields(convergence).map(field =>
    String(field === 'loss' ? settings.loss * 100 : settings[field]),
  )
}

/** What a run is called in a chart. */
export function runName(convergence: Convergence, { settings }: PointResult): string {
  return variedFields(convergence)
    .map(field => fieldTexts[field].text(settings[field]))
    .join(', ')
}
