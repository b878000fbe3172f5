import {
  contradictions,
  limitParameters,
  workloadParameters,
  type Limits,
  type Workload,
} from '../capacity/capacity-plan.ts'
import { readParameters, real, refuse, whole, type ValuesOf } from '../parameters.ts'

/** What all architectures are given alike, beside the workload and the limits of `sim capacity`. */
export const compareParameters = {
  seed: whole(1, 0, 2 ** 32 - 1, 'of the simulations'),
  replicas: whole(3, 1, 9, 'members of etcd, or whatever stands in its place; copies of what is replicated'),
  roundTripMs: real(0.5, 0.01, 10_000, 'ms there and back between two machines'),
  syncMs: real(1, 0.001, 1_000, 'ms until a disk has what it was given'),
  spreadNodes: whole(20, 2, 50, 'simulated nodes among which subscriptions spread'),
  spreadChanges: whole(200, 10, 10_000, 'subscriptions made there'),
  spreadChangesPerSecond: real(20, 0.1, 10_000, '… a second, by all of them together'),
  simulatedClaims: whole(20_000, 100, 1_000_000, 'claims simulated, at the rate of a storm'),
} as const

export interface ComparePlan {
  readonly workload: Workload
  readonly limits: Limits
  readonly compare: ValuesOf<typeof compareParameters>
}

/** By flag. Throws CONFIG_INVALID with everything that is wrong. */
export function comparePlan(given: ReadonlyMap<string, string>): ComparePlan {
  const faults: string[] = []
  const workload = readParameters(workloadParameters, given, faults)
  const limits = readParameters(limitParameters, given, faults)
  const compare = readParameters(compareParameters, given, faults)
  if (faults.length === 0) faults.push(...contradictions(workload))
  refuse('the workload', faults)
  return { workload, limits, compare }
}
