import type { ConnectionHistory } from './lab-client.ts'

/**
 * Judges connections of one cluster against FAULTS.md 6, 7 and 15: answers with a line for each message that a connection
 * got acknowledged although it was sent after another connection with the same client id had been established later than it.
 * (What was sent before may be acknowledged late: bytes on their way are nobody's to call back.)
 */
export function ownershipViolations(histories: readonly ConnectionHistory[]): string[] {
  const violations: string[] = []
  for (const older of histories) {
    const { establishedAtMs, acknowledgements, clientId } = older
    if (establishedAtMs === undefined) continue
    for (const newer of histories) {
      if (newer === older || newer.clientId !== clientId) continue
      const takenAtMs = newer.establishedAtMs
      if (takenAtMs === undefined || takenAtMs < establishedAtMs) continue
      const late = acknowledgements.filter(({ sentAtMs }) => sentAtMs > takenAtMs)
      if (late.length > 0) {
        violations.push(
          `${clientId}: ${older.where} acknowledged ${late.length} messages sent after ${newer.where} had taken over`,
        )
      }
    }
  }
  return violations
}

/** The connections of a client id that are open: after racers have settled there must be exactly one. */
export function openConnections(histories: readonly ConnectionHistory[], clientId: string): string[] {
  return histories
    .filter(history => history.clientId === clientId)
    .filter(({ establishedAtMs, closedAtMs }) => establishedAtMs !== undefined && closedAtMs === undefined)
    .map(({ where }) => where)
}
