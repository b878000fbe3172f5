import { payloadOf } from '../clients/history.ts'
import { type Checker, filterMatches, type Violation } from './checker.ts'

/** Invariant 2: what is delivered was published, under that topic, and to somebody who subscribed to it at some time. */
export const noPhantoms: Checker = ({ history }) => {
  const attempts = new Map<string, string>()
  for (const { publisher, sequence, topic } of history.publishes)
    attempts.set(payloadOf(publisher, sequence), topic)
  for (const { will } of history.connections) if (will !== undefined) attempts.set(will.payload, will.topic)
  const filters = new Map<string, Set<string>>()
  for (const { clientId, filter } of history.subscriptions) {
    const known = filters.get(clientId) ?? new Set()
    filters.set(clientId, known.add(filter))
  }
  const violations: Violation[] = []
  for (const { clientId, payload, topic, atMs, isRetained } of history.deliveries) {
    const published = attempts.get(payload)
    // A deletion of a retained message travels to subscribers as an empty message.
    if (payload === '' && !isRetained) continue
    if (
      published === topic &&
      [...(filters.get(clientId) ?? [])].some(filter => filterMatches(filter, topic))
    )
      continue
    // A SUBSCRIBE whose SUBACK was lost is in force all the same.
    if (published === topic && !filters.has(clientId)) continue
    violations.push({
      invariant: 2,
      atMs,
      detail: `${clientId} got ${payload} on ${topic}; published on ${published ?? 'nothing'}`,
    })
  }
  return violations
}
