import type { ConnectionRecord } from '../clients/history.ts'
import { type Checker, seconds, type Violation } from './checker.ts'

/**
 * Invariant 11: a will comes after its connection was lost, unless its client came back within the delay; never after a clean
 * DISCONNECT that the broker had, never early. That it comes once is `exactlyOnce`.
 */
export const willsFire: Checker = ({ history, endMs }) => {
  const got = new Map<string, number>()
  for (const { payload, atMs } of history.deliveries) if (payload.startsWith('will:')) got.set(payload, atMs)
  const watched = history.subscriptions.find(
    ({ filter, clientId }) => filter === 'w/+' && clientId === 'will-watch',
  )
  const violations: Violation[] = []
  if (watched === undefined || watched.endedMs !== undefined) return violations
  for (const connection of history.connections) {
    const { will, reasonCode, connackMs, abandonedMs } = connection
    if (will === undefined || reasonCode !== 0 || connackMs === undefined) continue
    if ((abandonedMs ?? Infinity) < watched.subackMs) continue
    const atMs = got.get(will.payload)
    const next = nextConnection(history.connections, connection)
    if (atMs !== undefined && connection.closedMs === undefined)
      violations.push({
        invariant: 11,
        atMs,
        detail: `${will.payload} came while connection ${connection.number} was open`,
      })
    if (atMs !== undefined && connection.closedMs !== undefined && will.delaySeconds > 0) {
      // The broker may have lost the connection before its client did: a node that died with it.
      const earliestMs =
        connection.connackMs === undefined ? 0 : connection.connackMs + will.delaySeconds * 1000
      if (atMs < earliestMs)
        violations.push({
          invariant: 11,
          atMs,
          detail: `${will.payload} came ${seconds(earliestMs - atMs)} s before its delay`,
        })
    }
    const isOwed =
      abandonedMs !== undefined &&
      connection.disconnectSentMs === undefined &&
      (next === undefined || next.connectSentMs > endMs) &&
      abandonedMs + will.delaySeconds * 1000 + 60_000 < endMs
    if (isOwed && atMs === undefined)
      violations.push({
        invariant: 11,
        atMs: abandonedMs,
        detail: `${will.payload} never came, though connection ${connection.number} was lost at ${seconds(abandonedMs)} and its client never came back`,
      })
  }
  return violations
}

function nextConnection(
  connections: readonly ConnectionRecord[],
  { clientId, number }: ConnectionRecord,
): ConnectionRecord | undefined {
  return connections.find(other => other.clientId === clientId && other.number > number)
}
