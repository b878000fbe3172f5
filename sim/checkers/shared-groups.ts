import { type DeliveryRecord, payloadOf, type PublishRecord } from '../clients/history.ts'
import { type Checker, filterMatches, mayHaveExpired, seconds, type Violation } from './checker.ts'

/**
 * Invariant 12: what was acknowledged, sent while the group had a member from before to the end, reaches some member; and two
 * members get it only where something had failed: a fault, a connection of a member, or the first attempt of its publisher.
 */
export const sharedGroupsServe: Checker = outcome => {
  const { history } = outcome
  const groups = Map.groupBy(
    history.subscriptions.filter(({ group }) => group !== undefined),
    ({ group, filter }) => `${group ?? ''} ${filter}`,
  )
  const violations: Violation[] = []
  for (const members of groups.values()) {
    const filter = members[0]?.filter ?? ''
    const clientIds = new Set(members.map(({ clientId }) => clientId))
    const received = Map.groupBy(
      history.deliveries.filter(({ clientId }) => clientIds.has(clientId)),
      ({ payload }) => payload,
    )
    const lasting = members.filter(
      ({ endedMs, unsubscribeSentMs }) => endedMs === undefined && unsubscribeSentMs === undefined,
    )
    const sinceMs = Math.min(...lasting.map(({ subackMs }) => subackMs))
    const lossesMs = history.connections
      .filter(({ clientId }) => clientIds.has(clientId))
      .map(({ abandonedMs, closedMs }) => Math.min(abandonedMs ?? Infinity, closedMs ?? Infinity))
    for (const publish of history.publishes) {
      const deliveries = received.get(payloadOf(publish.publisher, publish.sequence)) ?? []
      if (outcome.disturbed.length === 0) violations.push(...needlessCopies(publish, deliveries, lossesMs))
      if (mayHaveExpired(publish, outcome)) continue
      if (!isOwed(publish, filter, sinceMs) || deliveries.length > 0) continue
      violations.push({
        invariant: 12,
        atMs: publish.acknowledgedMs ?? 0,
        detail: `${payloadOf(publish.publisher, publish.sequence)} (${publish.topic}, QoS ${publish.qos}), sent ${seconds(publish.sends[0]?.atMs)} to ${publish.sends.map(({ connection }) => connection.nodeId).join(', ')} and acknowledged ${seconds(publish.acknowledgedMs)}, reached no member of the group`,
      })
    }
  }
  return violations
}

/** A member's broker may hear that late of its going, and give it something in between. */
const NOTICED_MS = 1000

/** What another member got, too. */
function needlessCopies(
  { sends }: PublishRecord,
  deliveries: readonly DeliveryRecord[],
  lossesMs: readonly number[],
): Violation[] {
  const [first] = deliveries
  const sentMs = sends[0]?.atMs ?? 0
  const copy = deliveries.find(({ clientId }) => clientId !== first?.clientId)
  if (first === undefined || copy === undefined || sends.length > 1) return []
  if (lossesMs.some(lostMs => lostMs >= sentMs - NOTICED_MS && lostMs <= copy.atMs)) return []
  const detail = `${copy.payload} came to ${first.clientId} at ${seconds(first.atMs)} and to ${copy.clientId} at ${seconds(copy.atMs)}, members of one group, though nothing had failed`
  return [{ invariant: 12, atMs: copy.atMs, detail }]
}

function isOwed(publish: PublishRecord, filter: string, sinceMs: number): boolean {
  const { qos, acknowledgedMs, topic, sends } = publish
  return (
    qos > 0 && acknowledgedMs !== undefined && (sends[0]?.atMs ?? 0) > sinceMs && filterMatches(filter, topic)
  )
}
