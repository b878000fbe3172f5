import type { Figure, Origin } from './figure.ts'

/** A way to build a cluster of MQTT brokers. */
export interface Architecture {
  readonly name: string
  /** In one sentence. */
  readonly design: string
  /** What a storm of the workload asks of it, per second. */
  readonly needed: Demand
  readonly cells: Readonly<Record<PropertyName, PropertyValue>>
}

export interface Demand {
  readonly claims: number
  readonly changes: number
}

/** A figure in the property's unit, or words that say where they come from. `null` figure: without bound. */
export type PropertyValue = Figure | Words

export interface Words {
  readonly text: string
  readonly verdict: 'good' | 'warn' | 'bad'
  readonly origin: Origin
  readonly reasons: readonly string[]
}

export interface Property {
  readonly title: string
  readonly unit: 'ms' | '/s' | 'bytes' | 'count' | 'clients' | 'weeks' | 'words'
}

/** Rows of the matrix, in order. */
export const properties = {
  spreadP99: { title: 'a subscription is known everywhere, P99', unit: 'ms' },
  publishHops: { title: 'hops of a publish between machines', unit: 'count' },
  publishMs: { title: 'added to a publish by them, median', unit: 'ms' },
  claimMs: { title: 'a session is claimed in a storm, P99', unit: 'ms' },
  syncs: { title: 'disk synchronisations per 1,000 claims', unit: 'count' },
  claimsWall: { title: 'claims, at most', unit: '/s' },
  changesWall: { title: 'changes of subscriptions, at most', unit: '/s' },
  storeBytes: { title: 'held by etcd or what stands in its place', unit: 'bytes' },
  nodeBytes: { title: 'routing memory of a node', unit: 'bytes' },
  clientsMax: { title: 'clients until one of the four above is full', unit: 'clients' },
  owners: { title: 'two owners of one session', unit: 'words' },
  death: { title: 'lost with a node', unit: 'words' },
  partition: { title: 'when the cluster is cut in two', unit: 'words' },
  wildcards: { title: 'wildcards', unit: 'words' },
  parts: { title: 'parts to operate', unit: 'words' },
  effort: { title: 'weeks to build', unit: 'weeks' },
} as const satisfies Record<string, Property>

export type PropertyName = keyof typeof properties

export function isFigure(value: PropertyValue): value is Figure {
  return 'value' in value
}

export function words(
  text: string,
  verdict: Words['verdict'],
  origin: Origin,
  ...reasons: readonly [string, ...string[]]
): Words {
  return { text, verdict, origin, reasons }
}
