import { type ConnectionRecord, payloadOf, type PublishRecord } from '../clients/history.ts'
import { type Checker, filterMatches, seconds, type Violation } from './checker.ts'

/**
 * Invariant 5: of one publisher, topic and QoS, messages reach a session for the first time in the order they were sent. At
 * QoS 0 within one connection only. Shared subscriptions have no order. Exempt, as documented with `tailsLate`: sessions that
 * had been on another node, when in the run some old owner did not catch up in time.
 */
export const inOrder: Checker = ({ history, tailsLate }) => {
  const moved = tailsLate > 0 ? movedClients(history.connections) : new Set<string>()
  const publishes = new Map<string, PublishRecord>()
  for (const publish of history.publishes)
    publishes.set(payloadOf(publish.publisher, publish.sequence), publish)
  const sharers = new Set(
    history.subscriptions.filter(({ group }) => group !== undefined).map(({ clientId }) => clientId),
  )
  const byClient = Map.groupBy(history.subscriptions, ({ clientId }) => clientId)
  const seen = new Set<string>()
  const latest = new Map<string, PublishRecord>()
  const violations: Violation[] = []
  for (const { clientId, payload, qos, connection, isRetained, atMs } of history.deliveries) {
    const publish = publishes.get(payload)
    if (publish === undefined || isRetained || sharers.has(clientId) || moved.has(clientId)) continue
    // What a client gave up still reads its old socket, at a time that says nothing.
    if (connection.abandonedMs !== undefined && atMs >= connection.abandonedMs) continue
    const session = connection.expirySeconds === 0 || qos === 0 ? `#${connection.number}` : clientId
    // What its publisher sent before the SUBACK may come only when it is sent again.
    const isDue = byClient
      .get(clientId)
      ?.some(
        ({ filter, subackMs, isDurable, connection: at }) =>
          (isDurable || at === connection) &&
          subackMs < (publish.sends[0]?.atMs ?? 0) &&
          filterMatches(filter, publish.topic),
      )
    if (isDue !== true || seen.has(`${session} ${payload}`)) continue
    seen.add(`${session} ${payload}`)
    const stream = `${session} ${publish.publisher} ${publish.topic} ${publish.qos} ${qos}`
    const before = latest.get(stream)
    if (before !== undefined && before.sequence > publish.sequence) {
      violations.push({
        invariant: 5,
        atMs,
        detail:
          `${clientId} got ${payload} (${publish.topic}) after ${payloadOf(before.publisher, before.sequence)}; ` +
          `sent ${describeSends(publish)} and ${describeSends(before)}; got it from ${connection.nodeId}`,
      })
      continue
    }
    latest.set(stream, publish)
  }
  return violations
}

function describeSends({ sends }: PublishRecord): string {
  return sends.map(({ connection, atMs }) => `to ${connection.nodeId} at ${seconds(atMs)}`).join(', ')
}

/** Client ids that were accepted by more than one node. */
function movedClients(connections: readonly ConnectionRecord[]): Set<string> {
  const nodes = new Map<string, string>()
  const moved = new Set<string>()
  for (const { clientId, nodeId, reasonCode } of connections) {
    if (reasonCode !== 0) continue
    if ((nodes.get(clientId) ?? nodeId) !== nodeId) moved.add(clientId)
    nodes.set(clientId, nodeId)
  }
  return moved
}
