import { payloadOf } from '../clients/history.ts'
import { type Checker, seconds, type Violation } from './checker.ts'

const AHEAD_MAX_MS = 500

/**
 * Invariant 10: in the end every node has the same retained messages, and none whose deletion was acknowledged after it was
 * acknowledged itself. Exempt, as PROTOCOLS 9 says: runs in which a clock was more than 500 ms ahead, whose stamps are refused
 * until the others' clocks get there.
 */
export const retainedConverges: Checker = ({ history, retained, clockAheadMs, endMs }) => {
  const violations: Violation[] = []
  if (clockAheadMs > AHEAD_MAX_MS) return violations
  const [first = new Map<string, string>(), ...others] = retained
  for (const [i, other] of others.entries()) {
    for (const topic of new Set([...first.keys(), ...other.keys()])) {
      if (first.get(topic) === other.get(topic)) continue
      violations.push({
        invariant: 10,
        atMs: endMs,
        detail: `${topic} is ${first.get(topic) ?? 'nothing'} on one node and ${other.get(topic) ?? 'nothing'} on another (reader ${i + 1})`,
      })
    }
  }
  for (const [topic, payload] of first) {
    const kept = history.publishes.find(
      ({ publisher, sequence }) => payloadOf(publisher, sequence) === payload,
    )
    if (kept === undefined) continue
    const lastSendMs = kept.sends.at(-1)?.atMs ?? 0
    const later = history.publishes.find(
      ({ topic: other, retain, acknowledgedMs, sends }) =>
        other === topic &&
        retain &&
        acknowledgedMs !== undefined &&
        (sends[0]?.atMs ?? 0) > (kept.acknowledgedMs ?? Infinity) &&
        (sends[0]?.atMs ?? 0) > lastSendMs,
    )
    if (later === undefined) continue
    violations.push({
      invariant: 10,
      atMs: later.acknowledgedMs ?? 0,
      detail: `${topic} still has ${payload} (acknowledged ${seconds(kept.acknowledgedMs)}), though ${payloadOf(later.publisher, later.sequence)}${later.isEmpty ? ', its deletion,' : ''} was sent at ${seconds(later.sends[0]?.atMs)} and acknowledged at ${seconds(later.acknowledgedMs)}`,
    })
  }
  return violations
}
