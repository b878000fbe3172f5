import { type Checker, seconds, type Violation } from './checker.ts'

/**
 * Invariant 8: Session Present says whether there was a session. Client ids that several use at once are looked at too: the
 * session is one.
 */
export const sessionPresentIsTrue: Checker = ({ history }) => {
  const violations: Violation[] = []
  const answered = history.connections
    .filter(({ reasonCode, connackWrittenMs }) => reasonCode === 0 && connackWrittenMs !== undefined)
    .sort((a, b) => (a.connackWrittenMs ?? 0) - (b.connackWrittenMs ?? 0))
  const hasSession = new Map<string, boolean>()
  for (const {
    clientId,
    cleanStart,
    expirySeconds,
    sessionPresent,
    connackWrittenMs,
    number,
    nodeId,
  } of answered) {
    const had = hasSession.get(clientId) === true
    hasSession.set(clientId, expirySeconds > 0)
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
