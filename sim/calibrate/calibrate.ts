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
import { readClients } from './client-readings.ts'
import { compareClaims } from './compare-claims.ts'
import { compareGossip, readPauses, realGossip } from './compare-gossip.ts'
import { compareNodes } from './compare-nodes.ts'
import type { Comparison } from './comparison.ts'
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

export interface CalibrationPlan {
  /** Nodes are joined to an etcd, so without it nothing of them is measured either. */
  readonly isWithEtcd: boolean
  /** ISO date. */
  readonly today: string
}

/** The version of the etcd on PATH, or what to install. */
export function lookForEtcd(): { readonly version: string } | { readonly missing: string } {
  return etcd.check()
}

/** Measures, then compares. Throws when a process cannot be started or a figure came out as no cost. */
export async function calibrate(lab: Lab, { isWithEtcd, today }: CalibrationPlan): Promise<Calibration> {
  const gossip = await realGossip(lab)
  const readings = [
    readPauses(gossip),
    ...(await readStructures(lab)),
    ...(await readLinks(lab)),
    ...(isWithEtcd
      ? [...(await readStore(lab)), ...(await readTraffic(lab)), ...(await readClients(lab))]
      : []),
  ]
  const constants = { measuredOn: today, machine: machineLine(), values: valuesOf(readings) }
  const comparisons = [
    ...(await compareGossip(lab, constants, gossip)),
    ...(isWithEtcd
      ? [...(await compareClaims(lab, constants)), ...(await compareNodes(lab, constants))]
      : []),
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
