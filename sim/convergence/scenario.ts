/**
 * What a convergence sweep is asked for: settings of which some have several values, each combination a run.
 *
 * Whatever is wrong is said at once, each fault with its field: wrong types and bounds, then what contradicts each other among the
 * fields that are right by themselves.
 */
import { z } from 'zod'
import { placements, type PlacementName } from './placed-network.ts'
import type { PointSettings } from './point.ts'

const NODES_MAX = 100
const POINTS_MAX = 500
/** Changes below which a 99th percentile says nothing. */
const CHANGES_MIN = 20
/** Pairs of a change and a node in one run, each of which is a few numbers in memory. */
const APPLICATIONS_MAX = 5_000_000
/** About what two cores do in an hour. */
const EVENTS_MAX = 2_000_000_000
const INDEX_BYTES_MAX = 2 * 1024 ** 3

const profileNames = Object.keys(placements) as [PlacementName, ...PlacementName[]]

/** One value or a list of them, each at most once. */
function several<T extends z.ZodType>(item: T, otherwise: z.output<T>) {
  const list = z
    .array(item)
    .min(1, 'expected at least one value')
    .max(30, 'expected at most 30 values')
    .refine(values => new Set(values).size === values.length, 'has a value twice')
  return z.preprocess((value): unknown => (Array.isArray(value) ? value : [value]), list).default([otherwise])
}

const partition = z.strictObject({
  from: z.number().min(0).describe('seconds from the first change'),
  to: z.number().positive(),
  cut: z.enum(['one-node', 'half', 'zone']),
})

/** Every field with its bounds and meaning; flags of the command follow from it. */
export const scenarioFields = {
  seed: z
    .int()
    .min(0)
    .max(2 ** 32 - 1)
    .default(1)
    .describe('fixes all chance: the same seed, the same result'),
  seconds: z.number().min(1).max(3600).default(30).describe('virtual time in which changes are made'),
  nodes: several(z.int().min(2).max(NODES_MAX), 20).describe(`brokers, 2 to ${NODES_MAX}`),
  profile: several(z.enum(profileNames), 'one-rack').describe(`where they are: ${profileNames.join(', ')}`),
  changesPerSecond: several(z.number().positive().max(10_000), 20).describe(
    'new subscriptions a second, all nodes together',
  ),
  batchIntervalMs: several(z.int().min(1).max(10_000), 20).describe(
    'least time between two deltas of a node (routing.batchIntervalMs)',
  ),
  gossipDegree: several(
    z
      .int()
      .min(1)
      .max(NODES_MAX - 1),
    2,
  ).describe('neighbours in the gossip mesh (gossipsub’s D; a node’s own is 2)'),
  gossipLazy: z
    .int()
    .min(0)
    .max(NODES_MAX - 1)
    .default(0)
    .describe(
      'others told per heartbeat of messages they may have missed (gossipsub’s Dlazy; a node’s own is 0)',
    ),
  heartbeatMs: several(z.int().min(50).max(60_000), 1000).describe('gossip heartbeat'),
  loss: several(z.number().min(0).max(0.5), 0).describe('share of packets lost, 0 to 0.5'),
  arrivals: z
    .enum(['random', 'even'])
    .default('random')
    .describe('random moments and nodes, or evenly at one node after the other'),
  nodesPerCore: z.int().min(1).max(NODES_MAX).default(1).describe('nodes that share one core'),
  filtersPerNode: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(1000)
    .describe('subscriptions before the first change'),
  floodPublish: z
    .boolean()
    .default(true)
    .describe('whether a node sends its own gossip to all others, not to its mesh alone'),
  partition: partition
    .optional()
    .describe('nodes cut off, like 15-30:half: seconds from the first change, and one-node, half or zone'),
} as const

export type ScenarioField = keyof typeof scenarioFields
export type Scenario = { readonly [Field in ScenarioField]: z.output<(typeof scenarioFields)[Field]> }

/** Fields that are swept, outermost first. */
export const sweptFields = [
  'profile',
  'nodes',
  'changesPerSecond',
  'batchIntervalMs',
  'gossipDegree',
  'heartbeatMs',
  'loss',
] as const

export interface ScenarioFault {
  readonly field: string
  readonly reason: string
}

/** The scenario, or everything that is wrong with it. `input` is what a file or flags say, trusted in nothing. */
export function parseScenario(input: Readonly<Record<string, unknown>>): Scenario | readonly ScenarioFault[] {
  const faults: ScenarioFault[] = []
  for (const field of Object.keys(input)) {
    if (!Object.hasOwn(scenarioFields, field)) {
      const known = Object.keys(scenarioFields).join(', ')
      faults.push({ field, reason: `there is no such field; there are ${known}` })
    }
  }
  const valid: Partial<Record<ScenarioField, unknown>> = {}
  for (const field of Object.keys(scenarioFields) as ScenarioField[]) {
    const parsed = scenarioFields[field].safeParse(input[field])
    if (parsed.success) valid[field] = parsed.data
    else faults.push(...parsed.error.issues.map(issue => faultOf(field, input[field], issue)))
  }
  faults.push(...contradictions(valid as Partial<Scenario>, input))
  return faults.length > 0 ? faults : (valid as Scenario)
}

/** Each combination of the values, in order. */
export function pointsOf(scenario: Scenario): readonly PointSettings[] {
  let points: readonly Record<string, unknown>[] = [{ ...scenario }]
  for (const field of sweptFields)
    points = points.flatMap(point => scenario[field].map(value => ({ ...point, [field]: value })))
  return points as unknown as readonly PointSettings[]
}

function faultOf(field: string, value: unknown, issue: z.core.$ZodIssue): ScenarioFault {
  const path = Array.isArray(value) || field === 'partition' ? [field, ...issue.path] : [field]
  return {
    field: path.map(String).join('.'),
    reason: issue.message.replace(/^(Invalid (input|option)|Too (big|small)): /, ''),
  }
}

/** What is impossible in combination; looks only at fields that are right by themselves. */
function contradictions(
  scenario: Partial<Scenario>,
  input: Readonly<Record<string, unknown>>,
): readonly ScenarioFault[] {
  const faults: ScenarioFault[] = []
  const fault = (field: ScenarioField, reason: string): void => void faults.push({ field, reason })
  const { nodes, profile, changesPerSecond, seconds, gossipDegree, nodesPerCore, batchIntervalMs } = scenario
  if (nodes !== undefined && gossipDegree !== undefined && input['gossipDegree'] !== undefined) {
    const [degree, most] = [Math.max(...gossipDegree), Math.max(...nodes)]
    if (degree >= most)
      fault('gossipDegree', `${degree} neighbours need at least ${degree + 1} nodes, there are ${most}`)
  }
  if (nodes !== undefined && nodesPerCore !== undefined && nodesPerCore > Math.max(...nodes))
    fault('nodesPerCore', `${nodesPerCore} on a core are more than the ${Math.max(...nodes)} nodes there are`)
  const apart = profile?.find(name => placements[name].zones > 1)
  if (apart !== undefined && nodesPerCore !== undefined && nodesPerCore > 1)
    fault('nodesPerCore', `nodes of different zones cannot share a core, and profile ${apart} has zones`)
  if (seconds !== undefined && changesPerSecond !== undefined) {
    const fewest = Math.floor(seconds * Math.min(...changesPerSecond))
    if (fewest < CHANGES_MIN)
      fault('changesPerSecond', `${seconds} s have ${fewest} changes, percentiles need ${CHANGES_MIN}`)
    if (batchIntervalMs !== undefined && Math.max(...batchIntervalMs) > seconds * 500)
      fault('batchIntervalMs', `${Math.max(...batchIntervalMs)} ms leave no two batches in ${seconds} s`)
  }
  faults.push(...partitionFaults(scenario), ...sizeFaults(scenario))
  return faults
}

function partitionFaults({ partition, seconds, profile }: Partial<Scenario>): readonly ScenarioFault[] {
  if (partition === undefined) return []
  const { from, to, cut } = partition
  const faults: ScenarioFault[] = []
  if (to <= from)
    faults.push({ field: 'partition.to', reason: `ends at ${to} s, before it begins at ${from} s` })
  if (seconds !== undefined && from >= seconds)
    faults.push({
      field: 'partition.from',
      reason: `begins at ${from} s, when the changes are over (seconds: ${seconds})`,
    })
  if (seconds !== undefined && to > seconds)
    faults.push({
      field: 'partition.to',
      reason: `ends at ${to} s, when the changes are over (seconds: ${seconds})`,
    })
  const flat = profile?.find(name => placements[name].zones === 1)
  if (cut === 'zone' && flat !== undefined)
    faults.push({ field: 'partition.cut', reason: `profile ${flat} has one zone, there is none to cut off` })
  return faults
}

/** What would take more memory or time than anybody means. */
function sizeFaults(scenario: Partial<Scenario>): readonly ScenarioFault[] {
  const faults: ScenarioFault[] = []
  const { nodes, filtersPerNode } = scenario
  if (nodes !== undefined && filtersPerNode !== undefined) {
    const bytes = indexBytes(Math.max(...nodes), filtersPerNode)
    if (bytes > INDEX_BYTES_MAX)
      faults.push({
        field: 'filtersPerNode',
        reason: `${filtersPerNode} filters on each of ${Math.max(...nodes)} nodes take about ${(bytes / 1024 ** 3).toFixed(1)} GiB of routing tables, at most 2 are taken`,
      })
  }
  if ([...sweptFields, 'seconds' as const].some(field => scenario[field] === undefined)) return faults
  const points = pointsOf(scenario as Scenario)
  if (points.length > POINTS_MAX)
    faults.push({
      field: 'nodes',
      reason: `the lists make ${points.length} runs, at most ${POINTS_MAX} are taken`,
    })
  const most = Math.max(...points.map(point => point.seconds * point.changesPerSecond * point.nodes))
  if (most > APPLICATIONS_MAX)
    faults.push({
      field: 'changesPerSecond',
      reason: `one run has ${Math.round(most / 1e6)} million changes to apply, at most ${APPLICATIONS_MAX / 1e6} are taken: fewer seconds`,
    })
  const events = points.reduce((sum, point) => sum + eventsOf(point), 0)
  if (events > EVENTS_MAX)
    faults.push({
      field: 'seconds',
      reason: `the sweep has about ${Math.round(events / 1e6)} million events, at most ${EVENTS_MAX / 1e6} are taken: fewer runs or seconds`,
    })
  return faults
}

/** Tables of one bit per node and position, thirty-two nodes each, about twelve positions per filter; on every node. */
function indexBytes(nodes: number, filters: number): number {
  return nodes * Math.ceil(nodes / 32) * 4 * 2 ** Math.ceil(Math.log2(Math.max(1, filters) * 12))
}

function eventsOf({ seconds, nodes, changesPerSecond, gossipDegree }: PointSettings): number {
  const perChange = nodes * (3 * Math.min(gossipDegree + 2, nodes) + 8)
  return (seconds + 5) * (changesPerSecond * perChange + 12 * nodes * nodes)
}
