import type { Checker, Violation } from './checker.ts'

/** Invariant 21: in the end nothing waits for other nodes, and a session is on one node only. */
export const backToBaseline: Checker = ({ nodes, unsettled, endMs }) => {
  const violations: Violation[] = []
  if (unsettled.length > 0) return violations // which is said already
  const found = (detail: string): number => violations.push({ invariant: 21, atMs: endMs, detail })
  const places = new Map<string, string[]>()
  for (const { nodeId, owed, sessions } of nodes) {
    if (owed > 0) found(`${nodeId} still has ${owed} publications for other nodes`)
    for (const clientId of sessions) places.set(clientId, [...(places.get(clientId) ?? []), nodeId])
  }
  for (const [clientId, at] of places) {
    if (at.length > 1) found(`the session of ${clientId} is on ${at.join(' and ')}`)
  }
  return violations
}
