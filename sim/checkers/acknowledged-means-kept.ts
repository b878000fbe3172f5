import { payloadOf, type PublishRecord, type SubscriptionRecord } from '../clients/history.ts'
import { type Checker, filterMatches, mayHaveExpired, seconds, type Violation } from './checker.ts'

/**
 * Invariants 1 and 13: what was acknowledged to its publisher reaches every durable subscription whose SUBACK came before the
 * send. Exempt, as DESIGN 4.4 grants: a subscription with barrier `local`, for messages sent to other nodes.
 */
export const acknowledgedMeansKept: Checker = outcome => {
  const { history } = outcome
  const delivered = new Set(history.deliveries.map(({ clientId, payload }) => `${clientId} ${payload}`))
  const violations: Violation[] = []
  const durable = history.subscriptions.filter(
    ({ isDurable, group, qos }) => isDurable && group === undefined && qos > 0,
  )
  for (const publish of history.publishes) {
    if (publish.acknowledgedMs === undefined || publish.qos === 0 || publish.isEmpty) continue
    if (mayHaveExpired(publish, outcome)) continue
    for (const subscription of durable) {
      if (!isOwed(publish, subscription)) continue
      const payload = payloadOf(publish.publisher, publish.sequence)
      if (delivered.has(`${subscription.clientId} ${payload}`)) continue
      violations.push({
        invariant: 1,
        atMs: publish.acknowledgedMs,
        detail:
          `${payload} (${publish.topic}, QoS ${publish.qos}) sent ${seconds(publish.sends[0]?.atMs)} to ` +
          `${publish.sends.map(({ connection }) => connection.nodeId).join(', ')}, acknowledged ` +
          `${seconds(publish.acknowledgedMs)} by ${publish.acknowledgedOn?.nodeId ?? '?'}, never reached ${subscription.clientId}, ` +
          `subscribed to ${subscription.filter} since ${seconds(subscription.subackMs)} (barrier ${subscription.barrier})`,
      })
    }
  }
  return violations
}

function isOwed(publish: PublishRecord, subscription: SubscriptionRecord): boolean {
  const first = publish.sends[0]
  if (first === undefined || first.atMs <= subscription.subackMs) return false
  if (!filterMatches(subscription.filter, publish.topic)) return false
  if (subscription.endedMs !== undefined || subscription.unsubscribeSentMs !== undefined) return false
  if (subscription.barrier === 'all') return true
  return publish.sends.every(({ connection }) => connection.nodeId === subscription.connection.nodeId)
}
