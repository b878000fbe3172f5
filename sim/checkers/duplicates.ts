import { payloadOf, type PublishRecord } from '../clients/history.ts'
import { type Checker, type OwnershipChange, seconds, type Violation } from './checker.ts'

/**
 * Invariant 4: at QoS 1 a message comes twice only after a reconnect of either side: within one connection of the subscriber a
 * message that its publisher sent once comes once. Shared subscriptions are exempt, whose messages are redispatched; so are
 * messages on their way from or to a process that died, whose acknowledgement between nodes is unknown: that of the publisher's
 * node, or of any that had the subscriber's session since.
 */
export const noNeedlessDuplicates: Checker = ({ history, starts, ownerships }) => {
  const owned = Map.groupBy(ownerships, ({ clientId }) => clientId)
  const publishes = new Map<string, PublishRecord>()
  for (const publish of history.publishes)
    publishes.set(payloadOf(publish.publisher, publish.sequence), publish)
  const sharers = new Set(
    history.subscriptions.filter(({ group }) => group !== undefined).map(({ clientId }) => clientId),
  )
  const seen = new Map<string, number>()
  const violations: Violation[] = []
  for (const { clientId, payload, qos, connection, atMs, isRetained } of history.deliveries) {
    if (qos === 2 || isRetained || sharers.has(clientId) || publishes.get(payload)?.sends.length !== 1)
      continue
    const key = `${connection.number} ${payload}`
    const before = seen.get(key)
    const sent = publishes.get(payload)?.sends[0]
    const sentMs = sent?.atMs ?? 0
    const nodes = new Set([
      connection.nodeId,
      sent?.connection.nodeId,
      ...ownersOf(owned.get(clientId), sentMs),
    ])
    const hasDied = starts.some(
      ({ nodeId, atMs: startMs }) => nodes.has(nodeId) && startMs > sentMs && startMs < atMs,
    )
    if (before !== undefined && !hasDied) {
      violations.push({
        invariant: 4,
        atMs,
        detail: `${clientId} got ${payload} (QoS ${qos}) twice on connection ${connection.number} to ${connection.nodeId}, first at ${seconds(before)}, though it was sent once`,
      })
    }
    seen.set(key, atMs)
  }
  return violations
}

/** The nodes that have owned the session since then. */
function ownersOf(changes: readonly OwnershipChange[] = [], sinceMs: number): readonly string[] {
  return changes
    .filter((_, index) => (changes[index + 1]?.atMs ?? Infinity) > sinceMs)
    .map(({ nodeId }) => nodeId)
}
