import { constantMeanings } from '../constants/constants.ts'
import type { Cell, Chart, Report, Section } from '../report/report.ts'
import { costSection } from './cost-section.ts'
import { cutText, partitionSections } from './partition-section.ts'
import { placements } from './placed-network.ts'
import { usedConstants, type Misses, type PointResult } from './point.ts'
import {
  CURVES_MAX,
  fieldTexts,
  runCells,
  runName,
  runTable,
  soundRuns,
  type Convergence,
  type SweptField,
} from './run-names.ts'
import { sweptFields, type Scenario } from './scenario.ts'

/** DESIGN section 8, "subscription spread". */
const SPREAD_MS_MAX = 100
const MISSED_SHARE_MAX = 0.0001

/** The sweep as a document. */
export function convergenceReport(convergence: Convergence): Report {
  const { scenario, points, results } = convergence
  const sections = [
    ...(results.length < points.length ? [interrupted(convergence)] : []),
    ...(results.length === 0
      ? []
      : [
          speed(convergence),
          misses(convergence),
          costSection(convergence),
          ...partitionSections(convergence),
        ]),
    ...sweepMaps(convergence),
    basis(convergence),
  ]
  return { title: 'How fast subscriptions spread', subtitle: subtitleOf(scenario), sections }
}

function subtitleOf(scenario: Scenario): string {
  const { seconds, seed, arrivals, nodesPerCore, filtersPerNode, floodPublish, gossipLazy, partition } =
    scenario
  return [
    ...sweptFields.map(field => valuesText(field, scenario[field])),
    `${seconds} s of ${arrivals === 'even' ? 'evenly made' : 'randomly made'} changes`,
    nodesPerCore === 1 ? 'a core for each node' : `${nodesPerCore} nodes on a core`,
    `${filtersPerNode} subscriptions on each node before`,
    ...(floodPublish ? [] : ['own gossip to the mesh alone']),
    ...(gossipLazy === 0 ? [] : [`${gossipLazy} others told per heartbeat`]),
    ...(partition === undefined
      ? []
      : [`${cutText(partition.cut)} from ${partition.from} to ${partition.to} s`]),
    `seed ${seed}`,
  ].join(', ')
}

function valuesText(field: SweptField, values: readonly (string | number)[]): string {
  const shown = field === 'loss' ? values.map(value => Number(value) * 100) : values
  const list = shown.join(' · ')
  switch (field) {
    case 'profile':
      return list
    case 'nodes':
      return `${list} nodes`
    case 'changesPerSecond':
      return `${list} changes/s`
    case 'batchIntervalMs':
      return `batches every ${list} ms`
    case 'gossipDegree':
      return `gossip degree ${list}`
    case 'heartbeatMs':
      return `heartbeat ${list} ms`
    case 'loss':
      return `${list} % loss`
  }
}

function interrupted({ points, results }: Convergence): Section {
  return {
    heading: 'Interrupted',
    prose: `The sweep was ended after ${results.length} of ${points.length} runs. What follows is about those; the others were not made.`,
  }
}

function speed(convergence: Convergence): Section {
  const { scenario, results } = convergence
  const rows = results.map(result => {
    if (result.fault !== undefined)
      return [
        ...runCells(convergence, result),
        { text: 'no figures', verdict: 'bad', note: result.fault } satisfies Cell,
      ]
    const { everywhere, perNode, suback } = result
    return [
      ...runCells(convergence, result),
      ms(everywhere.p50),
      ms(everywhere.p90),
      spreadCell(result),
      ms(everywhere.max),
      ms(perNode.p50),
      ms(perNode.p99),
      ms(suback.quorum.p99),
      ms(suback.all.p99),
    ]
  })
  const headings = ['P50', 'P90', 'P99', 'max', 'each node P50', 'P99', 'SUBACK at quorum P99', 'at all P99']
  const shown = results.filter(({ curve }) => curve.length > 0).slice(0, CURVES_MAX)
  const chart: Chart = {
    kind: 'lines',
    title: 'Time until a change is applied on all nodes',
    x: { label: 'ms', isLogarithmic: true },
    y: { label: '% of the changes' },
    series: shown.map(result => ({
      name: runName(convergence, result),
      points: result.curve.map((value, index) => [value, index + 1] as const),
    })),
  }
  const judged = results.filter(isJudged)
  const met = judged.filter(result => isFast(result)).length
  const verdict =
    judged.length === 0
      ? 'The budget of 100 ms is for the nodes of one region that reach each other; no run here is of that kind.'
      : `The budget, P99 below ${SPREAD_MS_MAX} ms, is met in ${met} of ${judged.length} runs.`
  const partitioned =
    scenario.partition === undefined ? '' : ' Changes made during the partition wait for its end, and count.'
  const more =
    results.length > CURVES_MAX ? `\nThe chart has the first ${CURVES_MAX} runs, the table all of them.` : ''
  return {
    heading: 'How fast',
    prose: `Milliseconds from a client’s SUBSCRIBE until its filter is in the routing index of all nodes, and of each node by itself. ${verdict}${partitioned}${more}`,
    tables: [runTable(convergence, headings, rows)],
    charts: shown.length === 0 ? [] : [chart],
  }
}

function misses(convergence: Convergence): Section {
  const rows = soundRuns(convergence).map(result => {
    const { local, settled, quorum, all } = result.misses
    return [
      ...runCells(convergence, result),
      share(local),
      missCell(settled, MISSED_SHARE_MAX, result),
      share(quorum),
      missCell(all, 0, result),
      String(result.refused.quorum),
      String(result.refused.all),
      result.neverApplied === 0 ? '0' : { text: String(result.neverApplied), verdict: 'bad' as const },
    ]
  })
  const headings = [
    'at once, local',
    '100 ms later',
    'at once, quorum',
    'at once, all',
    'refused quorum',
    'all',
    'never applied',
  ]
  return {
    heading: 'What was missed',
    prose:
      'Percent of the messages that went past a subscription: one is published on every other node as soon as news of the SUBACK can be there, over the shortest ways. With the barrier local that says how long the spreading takes, no more; 100 ms later, or at once with a barrier, a miss is a false negative. Refused: barriers not reached within 2 s, answered with 0x80.',
    tables: [runTable(convergence, headings, rows)],
  }
}

/** P99 by the two fields with the most values; of the other fields the first value. */
function sweepMaps({ scenario, results }: Convergence): readonly Section[] {
  const swept = sweptFields
    .filter(field => scenario[field].length > 1)
    .sort((a, b) => scenario[b].length - scenario[a].length)
  const [first, second, ...others] = swept
  if (first === undefined || second === undefined) return []
  const [x, y] = first === 'nodes' || first === 'profile' ? [second, first] : [first, second]
  const fixed = others.map(field => fieldTexts[field].text(scenario[field][0] ?? ''))
  const values = scenario[y].map(yValue =>
    scenario[x].map(xValue => {
      const found = results.find(
        ({ settings, fault }) =>
          fault === undefined &&
          settings[x] === xValue &&
          settings[y] === yValue &&
          others.every(field => settings[field] === scenario[field][0]),
      )
      return found?.everywhere.p99
    }),
  )
  const shownValues = (field: SweptField): string[] =>
    scenario[field].map(value => String(field === 'loss' ? Number(value) * 100 : value))
  return [
    {
      heading: 'The sweep as a map',
      ...(fixed.length === 0 ? {} : { prose: `With ${fixed.join(', ')}.` }),
      charts: [
        {
          kind: 'heat',
          title: 'P99 of the time until a change is applied on all nodes',
          x: { label: fieldTexts[x].heading, values: shownValues(x) },
          y: { label: fieldTexts[y].heading, values: shownValues(y) },
          values,
          unit: 'ms',
        },
      ],
    },
  ]
}

function basis({ scenario, constants }: Convergence): Section {
  const places = scenario.profile.map(name => `${name}: ${placements[name].text}`).join('; ')
  return {
    heading: 'What this rests on',
    prose: [
      'The interest exchange, its codecs and both routing indexes are the production code, in virtual time. The network between them and gossipsub are models: each node pushes what is new to its neighbours in a random mesh, may tell others once per heartbeat, and every copy takes the time of its sender and receiver, which do one thing at a time. Weaker than gossipsub: copies are lost where its streams would send again, and one in a thousand for no reason.',
      `Distances are assumed, not measured. ${places}.`,
    ].join('\n'),
    tables: [
      {
        caption: 'What an operation costs',
        columns: [
          { heading: 'constant' },
          { heading: 'value', isNumeric: true },
          { heading: 'what' },
          { heading: 'origin' },
        ],
        rows: usedConstants.map(name => {
          const { value, origin, how } = constants.values[name]
          return [name, String(value), constantMeanings[name], `${origin}: ${how}`]
        }),
      },
    ],
  }
}

/** The budget is for nodes that reach each other within one region. */
function isJudged({ settings, fault }: PointResult): boolean {
  return fault === undefined && settings.profile !== 'three-regions' && settings.partition === undefined
}

function isFast({ everywhere, neverApplied }: PointResult): boolean {
  return everywhere.p99 < SPREAD_MS_MAX && neverApplied === 0
}

function spreadCell(result: PointResult): Cell {
  const text = ms(result.everywhere.p99)
  return isJudged(result) ? { text, verdict: isFast(result) ? 'good' : 'bad' } : text
}

function missCell(misses: Misses, shareMax: number, result: PointResult): Cell {
  const text = share(misses)
  if (!isJudged(result)) return text
  return { text, verdict: misses.missed <= misses.sent * shareMax ? 'good' : 'bad' }
}

function share({ sent, missed }: Misses): string {
  if (sent === 0) return '–'
  const value = (100 * missed) / sent
  return missed === 0 ? '0' : value < 0.1 ? value.toFixed(4) : value.toFixed(1)
}

function ms(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0)
}
