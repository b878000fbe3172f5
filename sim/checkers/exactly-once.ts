import { payloadOf } from '../clients/history.ts'
import { type Checker, seconds, type Violation } from './checker.ts'

/**
 * Invariant 3: at QoS 2 on both sides a message comes once per subscriber session, also when its publisher sent it again, to
 * the same node or another. Only sessions that outlive connections are looked at, on both sides.
 */
export const exactlyOnce: Checker = ({ history }) => {
  const published = new Set(
    history.publishes
      .filter(({ qos }) => qos === 2)
      .map(({ publisher, sequence }) => payloadOf(publisher, sequence)),
  )
  const first = new Map<string, number>()
  const violations: Violation[] = []
  for (const delivery of history.deliveries) {
    const { clientId, payload, qos, isRetransmission, connection } = delivery
    if (qos !== 2 || isRetransmission || connection.expirySeconds === 0) continue
    if (!published.has(payload) && !payload.startsWith('will:')) continue
    const key = `${clientId} ${payload}`
    const before = first.get(key)
    if (before === undefined) {
      first.set(key, delivery.atMs)
      continue
    }
    violations.push({
      invariant: payload.startsWith('will:') ? 11 : 3,
      atMs: delivery.atMs,
      detail:
        `${clientId} got ${payload} a second time as a new message (packet id ${delivery.packetId ?? 0}` +
        `${delivery.isDuplicateFlagged ? ', dup' : ''}, from ${connection.nodeId}); first at ${seconds(before)}`,
    })
  }
  return violations
}
