import { cpus } from 'node:os'
import { describeMachine } from '../../bench/machine.ts'
import { etcd } from '../../bench/peers/etcd.ts'
import {
  constantMeanings,
  shippedConstants,
  type Constant,
  type Constants,
  type ConstantName,
} from '../constants/constants.ts'
import { readSessions } from './session-readings.ts'
import { compareClaims } from './compare-claims.ts'
import { compareGossip, readChanges, readPauses, realGossip } from './compare-gossip.ts'
import { compareForwards } from './compare-forwards.ts'
import type { Comparison } from './comparison.ts'
import { compareMemory, idleClients, readIdleClients } from './idle-clients.ts'
import type { Lab } from './lab.ts'
import { readLinks } from './link-readings.ts'
import { constantOf, type Reading } from './reading.ts'
import { readStore } from './store-readings.ts'
import { readStructures } from './structure-readings.ts'
import { readTraffic } from './traffic-readings.ts'

/** What this machine's operations cost, and how well the models that rest on it agree with the real thing here. */
export interface Calibration {
  readonly constants: Constants
  readonly comparisons: readonly Comparison[]
}

/** What can be measured by itself: each what the part's constants are of, and its models. */
export const calibrationParts = ['gossip', 'structures', 'etcd', 'traffic', 'clients'] as const

export type CalibrationPart = (typeof calibrationParts)[number]

/** The rest is of nodes that are joined to an etcd, or of etcd itself. */
export const partsWithoutEtcd: readonly CalibrationPart[] = ['gossip', 'structures']

export interface CalibrationPlan {
  readonly parts: readonly CalibrationPart[]
  /** ISO date. */
  readonly today: string
}

/** The version of the etcd on PATH, or what to install. */
export function lookForEtcd(): { readonly version: string } | { readonly missing: string } {
  return etcd.check()
}

/**
 * Measures, then compares. Models need constants of other parts, too: of those left out they have this version's. Throws when a
 * process cannot be started or a figure came out as no cost.
 */
export async function calibrate(lab: Lab, { parts, today }: CalibrationPlan): Promise<Calibration> {
  const inPart = async <T>(part: CalibrationPart, measure: () => Promise<readonly T[]>) =>
    parts.includes(part) ? await measure() : []
  const gossip = await inPart('gossip', () => realGossip(lab))
  const idle = await inPart('clients', () => idleClients(lab))
  const readings = [
    ...(await inPart('gossip', async () => [readPauses(gossip), ...(await readLinks(lab))])),
    ...(await inPart('structures', () => readStructures(lab))),
    ...(await inPart('etcd', () => readStore(lab))),
    ...(await inPart('traffic', () => readTraffic(lab))),
    ...(await inPart('clients', async () => [...readIdleClients(idle), ...(await readSessions(lab))])),
  ]
  const named = { measuredOn: today, machine: machineLine() }
  const messages = { ...named, values: valuesOf(readings) }
  const changes = await inPart('gossip', async () => [await readChanges(lab, messages, gossip)])
  const constants = { ...named, values: valuesOf([...readings, ...changes]) }
  const comparisons = [
    ...(await inPart('gossip', () => compareGossip(lab, constants, gossip))),
    ...(await inPart('etcd', () => compareClaims(lab, constants))),
    ...(await inPart('traffic', () => compareForwards(lab, constants))),
    ...(await inPart('clients', async () => compareMemory(constants, idle))),
  ]
  return { constants, comparisons }
}

/** What was not measured is that of this version, from another machine, and here no more than assumed. */
function valuesOf(readings: readonly Reading[]): Constants['values'] {
  const measured = new Map<ConstantName, Constant>(
    readings.map(reading => [reading.name, constantOf(reading)]),
  )
  const names = Object.keys(constantMeanings) as ConstantName[]
  return Object.fromEntries(
    names.map((name): [ConstantName, Constant] => {
      const { value, how } = shippedConstants.values[name]
      return [name, measured.get(name) ?? { value, origin: 'assumed', how: `not measured here: ${how}` }]
    }),
  ) as Constants['values']
}

function machineLine(): string {
  const { cpu, cores, memoryGib, system, node } = describeMachine()
  const found = lookForEtcd()
  const store = 'version' in found ? `etcd ${found.version}` : 'no etcd'
  const clock = cpus()[0]?.speed ?? 0
  return `${cores} cores of ${cpu}${clock > 0 ? ` at ${clock} MHz` : ''}, ${memoryGib} GiB, ${system}, Node ${node}, ${store}`
}
