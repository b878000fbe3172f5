import { payloadOf, type PublishRecord } from '../clients/history.ts'
import { type Checker, filterMatches, seconds, type Violation } from './checker.ts'

/**
 * Invariant 9: what was sent after UNSUBACK, or after a SUBACK that refused, does not come, unless a SUBSCRIBE was sent since. A
 * SUBSCRIBE may be in force before its SUBACK, also one whose barrier is then missed.
 */
export const unsubackStops: Checker = ({ history }) => {
  const publishes = new Map<string, PublishRecord>()
  for (const publish of history.publishes)
    publishes.set(payloadOf(publish.publisher, publish.sequence), publish)
  const byClient = Map.groupBy(history.subscriptions, ({ clientId }) => clientId)
  const attempts = Map.groupBy(history.attempts, ({ clientId }) => clientId)
  const violations: Violation[] = []
  for (const { clientId, payload, topic, atMs } of history.deliveries) {
    const sentMs = publishes.get(payload)?.sends[0]?.atMs
    const mine = byClient.get(clientId)
    if (sentMs === undefined || mine === undefined) continue
    const ended = mine.findLast(
      ({ filter, unsubackMs = Infinity }) => unsubackMs < sentMs && filterMatches(filter, topic),
    )
    if (ended?.unsubackMs === undefined) continue
    const { unsubackMs } = ended
    const mayHave = attempts
      .get(clientId)
      ?.some(
        attempt =>
          attempt.atMs >= unsubackMs &&
          attempt.atMs < atMs &&
          (attempt.refusedMs ?? Infinity) > sentMs &&
          filterMatches(attempt.filter, topic),
      )
    if (mayHave === true) continue
    violations.push({
      invariant: 9,
      atMs,
      detail: `${clientId} got ${payload} (${topic}), sent ${seconds(sentMs)}, after UNSUBACK at ${seconds(unsubackMs)} and no SUBSCRIBE since that was not refused`,
    })
  }
  return violations
}
