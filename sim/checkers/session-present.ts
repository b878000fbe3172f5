import type { ConnectionRecord } from '../clients/history.ts'
import { type Checker, seconds, type Violation } from './checker.ts'

/**
 * Invariant 8: Session Present says whether there was a session. Client ids that several use at once are looked at too: the
 * session is one. Whether one that its client ended, or that should have expired by then, is still there is up to the node.
 */
export const sessionPresentIsTrue: Checker = ({ history }) => {
  const violations: Violation[] = []
  const answered = history.connections
    .filter(({ reasonCode, connackWrittenMs }) => reasonCode === 0 && connackWrittenMs !== undefined)
    .sort((a, b) => (a.connackWrittenMs ?? 0) - (b.connackWrittenMs ?? 0))
  const latest = new Map<string, ConnectionRecord>()
  for (const connection of answered) {
    const { clientId, cleanStart, sessionPresent, connackWrittenMs, number, nodeId } = connection
    const before = latest.get(clientId)
    latest.set(clientId, connection)
    const had = (before?.expirySeconds ?? 0) > 0
    // Those whose CONNACK never came may have ended it, too, and later than they were opened: a node that starts reads them late.
    const since = history.connections.filter(
      other =>
        other.clientId === clientId &&
        other.number < number &&
        (other.number >= (before?.number ?? 0) || other.reasonCode === undefined),
    )
    if (!sessionPresent && since.some(other => mayBeOver(other, connackWrittenMs ?? 0))) continue
    const expected = had && !cleanStart
    // A CONNECT whose answer was lost may have made the session.
    const mayExist =
      !cleanStart &&
      history.connections.some(
        other =>
          other.clientId === clientId &&
          other.number !== number &&
          other.connectSentMs < (connackWrittenMs ?? 0),
      )
    if (sessionPresent === expected || (sessionPresent && mayExist)) continue
    violations.push({
      invariant: 8,
      atMs: connackWrittenMs ?? 0,
      detail: `${nodeId} answered connection ${number} of ${clientId} at ${seconds(connackWrittenMs)} with Session Present ${Number(sessionPresent)}, though ${had ? 'a session was there' : 'there was none'}`,
    })
  }
  return violations
}

/** The broker may have missed its client a little earlier than that noticed, by a clock that may be ahead. */
const EARLY_MS = 2000

function mayBeOver(
  { endsSession, expirySeconds, abandonedMs, disconnectSentMs, closedMs }: ConnectionRecord,
  nowMs: number,
): boolean {
  const lostMs = Math.min(...[abandonedMs, disconnectSentMs, closedMs].map(ms => ms ?? Infinity))
  return endsSession || lostMs + expirySeconds * 1000 - EARLY_MS <= nowMs
}
