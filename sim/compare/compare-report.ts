/** A comparison as a document: the matrix, what was simulated for it, and what every cell rests on. */
import { bytesText, countText, millionsText } from '../figures.ts'
import { flagOf } from '../parameters.ts'
import type { BarChart, Cell, Report, Section, Table } from '../report/report.ts'
import {
  isFigure,
  properties,
  type Architecture,
  type Demand,
  type Property,
  type PropertyName,
  type PropertyValue,
} from './architecture.ts'
import type { CompareResult } from './compare-command.ts'
import type { Origin } from './figure.ts'

const names = Object.keys(properties) as PropertyName[]
/** Architectures beside each other in one table of a terminal. */
const COLUMNS = 3
const marks: Readonly<Record<Origin, string>> = { measured: 'm', simulated: 's', assumed: 'a' }

export function compareReport(result: CompareResult): Report {
  const { workload } = result.plan
  const { nodes, clients, subscriptionsPerClient } = workload
  return {
    title: 'Grapevine: architectures compared',
    subtitle:
      `${nodes} nodes, ${millionsText(clients)} clients, ${millionsText(clients * subscriptionsPerClient)} subscriptions` +
      (result.isComplete ? '' : ' (interrupted: not everything was simulated)'),
    sections: [
      matrixSection(result),
      simulationSection(result),
      ...result.architectures.map(reasonSection),
      assumptionSection(result),
    ],
  }
}

function matrixSection({ architectures }: CompareResult): Section {
  const tables: Table[] = []
  for (let from = 0; from < architectures.length; from += COLUMNS) {
    const some = architectures.slice(from, from + COLUMNS)
    tables.push({
      columns: [{ heading: 'Property' }, ...some.map(({ name }) => ({ heading: name, isNumeric: true }))],
      rows: names.map(name => [
        properties[name].title,
        ...some.map(({ cells, needed }) => cellOf(name, cells[name], needed)),
      ]),
    })
  }
  const designs = architectures.map(({ name, design }) => `${name}: ${design}`)
  const demands = architectures.map(
    ({ name, needed }) =>
      `${name} ${countText(needed.claims)} claims, ${countText(needed.changes)} changes of subscriptions`,
  )
  return {
    heading: 'The matrix',
    prose:
      `${designs.join('\n')}\n` +
      'Behind each cell: [m] measured on a machine, [s] simulated or counted by production code, [a] assumed, for the reason given below. ' +
      `What a storm of this workload needs, a second: ${demands.join('; ')}.`,
    tables,
    charts: [wallChart(architectures)],
  }
}

function wallChart(architectures: readonly Architecture[]): BarChart {
  return {
    kind: 'bars',
    title: 'Clients until claims, changes, store or routing memory are full',
    categories: architectures.map(({ name }) => name),
    y: { label: 'million clients', isLogarithmic: true },
    series: [
      {
        name: 'clients',
        values: architectures.map(({ cells }) =>
          isFigure(cells.clientsMax) ? cells.clientsMax.value / 1e6 : 0,
        ),
      },
    ],
  }
}

function cellOf(name: PropertyName, value: PropertyValue, needed: Demand): Cell {
  const text = `${textOf(properties[name], value)} [${marks[value.origin]}]`
  if (!isFigure(value)) return { text, verdict: value.verdict }
  const demand = name === 'claimsWall' ? needed.claims : name === 'changesWall' ? needed.changes : undefined
  if (demand !== undefined) return { text, verdict: value.value >= demand ? 'good' : 'bad' }
  if (name === 'spreadP99') return { text, verdict: value.value <= SPREAD_MS_MAX ? 'good' : 'bad' }
  return text
}

/** The project's own budget for a subscription to be known everywhere. */
const SPREAD_MS_MAX = 100

function textOf({ unit }: Property, value: PropertyValue): string {
  if (!isFigure(value)) return value.text
  const { value: number } = value
  switch (unit) {
    case 'ms':
      return `${countText(number)} ms`
    case '/s':
      return `${countText(number)}/s`
    case 'bytes':
      return bytesText(number)
    case 'clients':
      return millionsText(number)
    default:
      return countText(number)
  }
}

function simulationSection({ simulations }: CompareResult): Section {
  const { batched, single, gossip, etcd } = simulations
  const claims = [
    ['batched', batched],
    ['single', single],
  ] as const
  const spreads = [
    ['gossip', gossip],
    ['etcd', etcd],
  ] as const
  return {
    heading: 'What was simulated',
    prose:
      'Claims: production’s batcher of every node before one store that is busy for as long as measured transactions take, at the rate of a storm. ' +
      'Spread: complete production nodes in virtual time, in one rack; the processor’s and etcd’s own time are not in it.',
    tables: [
      {
        columns: ['Claims', 'How many', 'Transactions', 'Through', 'P50', 'P99'].map((heading, i) => ({
          heading,
          isNumeric: i > 0,
        })),
        rows: claims.map(([name, result]) =>
          result === undefined
            ? [name, 'interrupted']
            : [
                name,
                countText(result.claims),
                countText(result.transactions),
                `${countText(result.claims / result.seconds)}/s`,
                `${countText(result.p50Ms)} ms`,
                `${countText(result.p99Ms)} ms`,
              ],
        ),
      },
      {
        columns: ['Subscriptions by', 'Batches', 'Mean', 'P50 ≤', 'P99 ≤', 'Longest'].map((heading, i) => ({
          heading,
          isNumeric: i > 0,
        })),
        rows: spreads.map(([name, result]) =>
          result === undefined
            ? [name, 'interrupted']
            : [
                name,
                countText(result.spread),
                `${countText(result.meanMs)} ms`,
                classText(result.p50Ms),
                classText(result.p99Ms),
                `${countText(result.maxMs)} ms`,
              ],
        ),
      },
    ],
  }
}

function classText(bound: number | null): string {
  return bound === null ? 'later' : `${countText(bound)} ms`
}

function reasonSection({ name, cells }: Architecture): Section {
  return {
    heading: `${name}: what each cell rests on`,
    tables: [
      {
        columns: [
          { heading: 'Property' },
          { heading: 'Value', isNumeric: true },
          { heading: 'Origin' },
          { heading: 'Because' },
        ],
        rows: names.map(property => {
          const value = cells[property]
          return [
            properties[property].title,
            textOf(properties[property], value),
            value.origin,
            value.reasons.join('; '),
          ]
        }),
      },
    ],
  }
}

function assumptionSection({ plan }: CompareResult): Section {
  const { workload, limits, compare } = plan
  return {
    heading: 'The workload, and limits; each is a flag',
    tables: [
      {
        columns: [{ heading: 'Flag' }, { heading: 'Value', isNumeric: true }],
        rows: [...Object.entries(workload), ...Object.entries(limits), ...Object.entries(compare)].map(
          ([name, value]) => [`--${flagOf(name)}`, countText(value)],
        ),
      },
    ],
  }
}
