import { payloadOf, type PublisherHistory } from '../durability/delivery-checker.ts'

/** What one member of a shared group got. */
export interface MemberDeliveries {
  readonly name: string
  readonly deliveries: readonly string[]
  /** Copies at QoS 1 of what it had got, without the DUP flag. */
  readonly undeclaredCopies: readonly string[]
}

/**
 * Judges one shared group, whose members and their sessions outlast the test, against FAULTS.md 12 and PROTOCOLS section 11.
 * Answers with a line for each violation: what was acknowledged and reached no member; what reached two, or one twice.
 *
 * `inDoubt`: what was unacknowledged when a node was killed or its publisher connected anew. It may have been given to a member of
 * the dead node and is given to another one, or its publisher sends it again; at QoS 2 the latter is a known limit (ARCHITECTURE).
 */
export function groupViolations(
  histories: readonly PublisherHistory[],
  members: readonly MemberDeliveries[],
  inDoubt: ReadonlySet<string>,
): string[] {
  const violations: string[] = []
  const holders = new Map<string, string[]>()
  for (const { name, deliveries, undeclaredCopies } of members) {
    for (const payload of new Set(deliveries)) holders.set(payload, [...(holders.get(payload) ?? []), name])
    for (const payload of undeclaredCopies)
      if (!inDoubt.has(payload)) violations.push(`twice: ${payload} came to ${name} again, without DUP`)
  }
  for (const { publisher, qos, sent, acknowledged } of histories) {
    for (let sequence = 0; sequence < sent; sequence++) {
      const payload = payloadOf(publisher, sequence)
      const names = holders.get(payload) ?? []
      if (names.length === 0 && acknowledged.has(sequence))
        violations.push(`lost: ${payload} was acknowledged and reached no member`)
      if (names.length > 1 && !inDoubt.has(payload))
        violations.push(`two members: ${payload} at QoS ${qos} came to ${names.join(' and ')}`)
    }
  }
  return violations
}
