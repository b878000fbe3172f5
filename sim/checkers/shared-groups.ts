import { payloadOf, type PublishRecord } from '../clients/history.ts'
import { type Checker, filterMatches, mayHaveExpired, seconds, type Violation } from './checker.ts'

/**
 * Invariant 12: what was acknowledged, sent while the group had a member from before to the end, reaches some member; and at
 * QoS 1 two members get it only when something failed. `hasFaults` false says that nothing did.
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
    const got = new Set(
      history.deliveries.filter(({ clientId }) => clientIds.has(clientId)).map(({ payload }) => payload),
    )
    const lasting = members.filter(
      ({ endedMs, unsubscribeSentMs }) => endedMs === undefined && unsubscribeSentMs === undefined,
    )
    const sinceMs = Math.min(...lasting.map(({ subackMs }) => subackMs))
    for (const publish of history.publishes) {
      if (mayHaveExpired(publish, outcome)) continue
      if (!isOwed(publish, filter, sinceMs) || got.has(payloadOf(publish.publisher, publish.sequence)))
        continue
      violations.push({
        invariant: 12,
        atMs: publish.acknowledgedMs ?? 0,
        detail: `${payloadOf(publish.publisher, publish.sequence)} (${publish.topic}, QoS ${publish.qos}), sent ${seconds(publish.sends[0]?.atMs)} to ${publish.sends.map(({ connection }) => connection.nodeId).join(', ')} and acknowledged ${seconds(publish.acknowledgedMs)}, reached no member of the group`,
      })
    }
  }
  return violations
}

function isOwed(publish: PublishRecord, filter: string, sinceMs: number): boolean {
  const { qos, acknowledgedMs, topic, sends } = publish
  return (
    qos > 0 && acknowledgedMs !== undefined && (sends[0]?.atMs ?? 0) > sinceMs && filterMatches(filter, topic)
  )
}
