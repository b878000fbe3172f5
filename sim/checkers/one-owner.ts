import type { ConnectionRecord } from '../clients/history.ts'
import { type Checker, type OwnershipChange, seconds, type Violation } from './checker.ts'

/**
 * Invariants 6, 14 and 15: once a node has answered a later CONNECT of a client id, no other node acknowledges anything on an
 * earlier connection; and the store's tokens only rise.
 *
 * Compared are the moments the nodes handed the bytes to their kernels, so a stopped node that acknowledges when it goes on is
 * caught, and bytes that were under way are not held against anybody.
 */
export const oneOwner: Checker = ({ history, ownerships, storeReplacedMs }) => {
  const violations: Violation[] = []
  const accepted = new Map<string, ConnectionRecord[]>()
  for (const connection of history.connections) {
    if (connection.reasonCode !== 0) continue
    const known = accepted.get(connection.clientId)
    if (known === undefined) accepted.set(connection.clientId, [connection])
    else known.push(connection)
  }
  for (const { connection, kind, packetId, writtenMs } of history.acknowledgements) {
    const { connackWrittenMs, clientId } = connection
    if (connackWrittenMs === undefined) continue
    const later = accepted
      .get(clientId)
      ?.find(({ connackWrittenMs: at = Infinity }) => at > connackWrittenMs && at < writtenMs)
    if (later === undefined) continue
    violations.push({
      invariant: 6,
      atMs: writtenMs,
      detail:
        `${connection.nodeId} sent ${kind} ${packetId} to ${clientId} at ${seconds(writtenMs)} on connection ` +
        `${connection.number}, after ${later.nodeId} had accepted connection ${later.number} at ${seconds(later.connackWrittenMs)}`,
    })
  }
  const latest = new Map<string, OwnershipChange>()
  for (const change of ownerships) {
    const before = latest.get(change.clientId)
    latest.set(change.clientId, change)
    if (before === undefined || before.nodeId === change.nodeId) continue
    // A store that was restored knows no more what it knew: what is written again there begins with any that is remembered.
    if (storeReplacedMs.some(atMs => atMs >= before.atMs && atMs <= change.atMs)) continue
    const isNewer =
      change.epoch > before.epoch ||
      (change.epoch === before.epoch && change.tokenRevision > before.tokenRevision)
    if (isNewer) continue
    violations.push({
      invariant: 6,
      atMs: change.atMs,
      detail: `${change.clientId} went from ${before.nodeId} (${before.epoch}/${before.tokenRevision}) to ${change.nodeId} under a token that is not newer (${change.epoch}/${change.tokenRevision})`,
    })
  }
  return violations
}
