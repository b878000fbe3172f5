import { type Checker, seconds, type Violation } from './checker.ts'

/** Of the simulated nodes. */
const LEASE_MS = 10_000

/**
 * Invariant 15: a process that was paused for longer than its lease acknowledges nothing before it has its lease again, whether or
 * not anybody has taken what it had.
 */
export const fencesItself: Checker = ({ history, pauses, renewals }) => {
  const violations: Violation[] = []
  for (const { nodeId, fromMs, toMs } of pauses) {
    if (toMs - fromMs < LEASE_MS) continue
    const renewedMs = Math.min(
      ...renewals.filter(({ nodeId: at, atMs }) => at === nodeId && atMs >= toMs).map(({ atMs }) => atMs),
    )
    const first = history.acknowledgements.find(
      ({ connection, writtenMs }) =>
        connection.nodeId === nodeId && writtenMs >= toMs && writtenMs < renewedMs,
    )
    if (first === undefined) continue
    violations.push({
      invariant: 15,
      atMs: first.writtenMs,
      detail: `${nodeId} sent ${first.kind} to ${first.connection.clientId} at ${seconds(first.writtenMs)}: it was paused from ${seconds(fromMs)} to ${seconds(toMs)} and had not renewed its lease`,
    })
  }
  return violations
}
