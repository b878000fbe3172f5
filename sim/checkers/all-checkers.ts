import { acknowledgedMeansKept } from './acknowledged-means-kept.ts'
import { backToBaseline } from './back-to-baseline.ts'
import type { Checker, Outcome, Violation } from './checker.ts'
import { comesToRest } from './comes-to-rest.ts'
import { damageIsDetected } from './damage-detected.ts'
import { noNeedlessDuplicates } from './duplicates.ts'
import { exactlyOnce } from './exactly-once.ts'
import { expires } from './expiry.ts'
import { fencesItself } from './fences-itself.ts'
import { flowControlHolds } from './flow-control.ts'
import { lastConnectWins } from './last-connect-wins.ts'
import { noPhantoms } from './no-phantoms.ts'
import { oneOwner } from './one-owner.ts'
import { inOrder } from './order.ts'
import { isRegistered } from './registered.ts'
import { retainedConverges } from './retained-converges.ts'
import { sessionPresentIsTrue } from './session-present.ts'
import { sharedGroupsServe } from './shared-groups.ts'
import { unsubackStops } from './unsuback-stops.ts'
import { willsFire } from './wills.ts'

const checkers: Readonly<Record<string, Checker>> = {
  'acknowledged-means-kept': acknowledgedMeansKept,
  'no-phantoms': noPhantoms,
  'exactly-once': exactlyOnce,
  duplicates: noNeedlessDuplicates,
  order: inOrder,
  'one-owner': oneOwner,
  'last-connect-wins': lastConnectWins,
  'session-present': sessionPresentIsTrue,
  'unsuback-stops': unsubackStops,
  'retained-converges': retainedConverges,
  wills: willsFire,
  'shared-groups': sharedGroupsServe,
  'flow-control': flowControlHolds,
  expiry: expires,
  'fences-itself': fencesItself,
  registered: isRegistered,
  'damage-detected': damageIsDetected,
  'back-to-baseline': backToBaseline,
  'comes-to-rest': comesToRest,
}

export interface FoundViolation extends Violation {
  readonly checker: string
}

/** Everything every checker finds, in the order it showed. */
export function check(outcome: Outcome): readonly FoundViolation[] {
  return Object.entries(checkers)
    .flatMap(([checker, find]) => find(outcome).map(violation => ({ ...violation, checker })))
    .sort((a, b) => a.atMs - b.atMs)
}
