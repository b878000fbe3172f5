/** What one publisher did, by the sequence numbers of its messages, which count from 0. */
export interface PublisherHistory {
  readonly publisher: string
  readonly qos: 1 | 2
  /** Messages 0 … sent - 1 went to the socket at least once. */
  readonly sent: number
  /** Those whose PUBACK or PUBCOMP arrived. */
  readonly acknowledged: ReadonlySet<number>
}

/** The payload by which a message is known. */
export function payloadOf(publisher: string, sequence: number): string {
  return `${publisher}-${sequence}`
}

/**
 * Judges what a subscriber got, in its order, against what publishers did. Answers with a line for each violation: a message that
 * was acknowledged and is lost, one at QoS 2 that came twice, one that nobody sent, and first deliveries of one publisher
 * out of order. Copies at QoS 1 are allowed.
 */
export function deliveryViolations(
  histories: readonly PublisherHistory[],
  deliveries: readonly string[],
): string[] {
  const violations: string[] = []
  const seen = new Set<string>()
  const lastOf = new Map<string, number>()
  const byPublisher = new Map(histories.map(history => [history.publisher, history]))
  for (const payload of deliveries) {
    const separator = payload.lastIndexOf('-')
    const publisher = payload.slice(0, separator)
    const sequence = Number(payload.slice(separator + 1))
    const history = byPublisher.get(publisher)
    const isSequence = Number.isSafeInteger(sequence) && payload === payloadOf(publisher, sequence)
    if (history === undefined || !isSequence || sequence >= history.sent) {
      violations.push(`phantom: ${payload} was never sent`)
      continue
    }
    if (seen.has(payload)) {
      if (history.qos === 2) violations.push(`doubled: ${payload} at QoS 2`)
      continue
    }
    seen.add(payload)
    const last = lastOf.get(publisher) ?? -1
    if (sequence < last) violations.push(`reordered: ${payload} after ${payloadOf(publisher, last)}`)
    lastOf.set(publisher, Math.max(last, sequence))
  }
  for (const { publisher, acknowledged } of histories) {
    for (const sequence of acknowledged) {
      const payload = payloadOf(publisher, sequence)
      if (!seen.has(payload)) violations.push(`lost: ${payload} was acknowledged`)
    }
  }
  return violations
}
