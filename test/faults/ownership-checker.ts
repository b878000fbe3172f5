import { compareTokens } from '../../src/core/ids.ts'
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

/** Whose a client id was, as a node's `/api/v1/session` had it from the coordination store. Times as in `lab-client.ts`. */
export interface OwnerSighting {
  readonly clientId: string
  readonly nodeId: string
  readonly incarnation: number
  readonly token: { readonly epoch: number; readonly revision: number }
  readonly askedAtMs: number
  readonly answeredAtMs: number
}

/**
 * Judges sightings against FAULTS.md 6: answers with a line for each token that two owners had, and for each sighting whose
 * token is lower than that of one which had been answered before it was asked for.
 */
export function tokenViolations(sightings: readonly OwnerSighting[]): string[] {
  const violations: string[] = []
  const owners = new Map<string, OwnerSighting>()
  for (const sighting of sightings) {
    const { clientId, nodeId, incarnation, token } = sighting
    const key = JSON.stringify([clientId, token.epoch, token.revision])
    const other = owners.get(key) ?? sighting
    owners.set(key, other)
    if (other.nodeId !== nodeId || other.incarnation !== incarnation)
      violations.push(`${clientId}: ${nameOf(other)} and ${nameOf(sighting)} had one token`)
    const earlier = sightings.find(
      seen =>
        seen.clientId === clientId &&
        seen.answeredAtMs < sighting.askedAtMs &&
        compareTokens(seen.token, token) > 0,
    )
    if (earlier !== undefined)
      violations.push(`${clientId}: ${nameOf(sighting)} came after ${nameOf(earlier)}`)
  }
  return violations
}

function nameOf({ nodeId, incarnation, token }: OwnerSighting): string {
  return `${nodeId} (life ${incarnation}) under ${token.epoch}:${token.revision}`
}
