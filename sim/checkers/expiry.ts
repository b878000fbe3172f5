import { payloadOf, type PublishRecord } from '../clients/history.ts'
import { type Checker, seconds, SKEW_MAX_MS, type Span, type Violation } from './checker.ts'

/** Of what is under way between brokers, and of timers. */
const TOLERANCE_MS = 1000

/**
 * Invariant 18: nothing is sent for the first time after its expiry interval, counted from when the broker had it. Time on a link
 * between brokers does not count, so messages are looked at for whose time no fault held anything up.
 */
export const expires: Checker = ({ history, disturbed, clockAheadMs }) => {
  const violations: Violation[] = []
  if (clockAheadMs > SKEW_MAX_MS) return violations
  const publishes = new Map<string, PublishRecord>()
  for (const publish of history.publishes)
    if (publish.expirySeconds !== undefined)
      publishes.set(payloadOf(publish.publisher, publish.sequence), publish)
  for (const { clientId, payload, isDuplicateFlagged, isRetransmission, writtenMs } of history.deliveries) {
    const publish = publishes.get(payload)
    if (publish?.expirySeconds === undefined || isDuplicateFlagged || isRetransmission) continue
    const readMs = Math.max(...publish.sends.map(send => send.readMs ?? -Infinity))
    const expiredMs = readMs + publish.expirySeconds * 1000
    if (writtenMs <= expiredMs + TOLERANCE_MS + clockAheadMs) continue
    if (disturbed.some(span => overlaps(span, readMs, expiredMs))) continue
    violations.push({
      invariant: 18,
      atMs: writtenMs,
      detail: `${payload}, which a broker had at ${seconds(readMs)}, was sent to ${clientId} at ${seconds(writtenMs)}, though it expired after ${publish.expirySeconds} s`,
    })
  }
  return violations
}

function overlaps({ fromMs, toMs }: Span, sinceMs: number, untilMs: number): boolean {
  return fromMs <= untilMs && toMs >= sinceMs
}
