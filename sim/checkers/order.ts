import {
  type ConnectionRecord,
  payloadOf,
  type PublishRecord,
  type SubscriptionRecord,
} from '../clients/history.ts'
import { type Checker, filterMatches, mayHaveExpired, seconds, type Violation } from './checker.ts'

/**
 * Invariant 5: of one publisher, topic and QoS, messages reach a session for the first time in the order they were sent. At
 * QoS 0 within one connection only. Shared subscriptions have no order. Exempt, as documented with `tailsLate`: sessions of
 * which a node says that it has ceased to wait for an old owner; and what a publisher sends once it has begun a new session on
 * another node, of which that knows nothing that its old one may still owe.
 */
export const inOrder: Checker = ({ history, tailsLate, clockAheadMs }) => {
  const publishes = new Map<string, PublishRecord>()
  for (const publish of history.publishes)
    publishes.set(payloadOf(publish.publisher, publish.sequence), publish)
  const sharers = new Set(
    history.subscriptions.filter(({ group }) => group !== undefined).map(({ clientId }) => clientId),
  )
  const sessions = sessionsOf(history.connections)
  const byClient = Map.groupBy(history.subscriptions, ({ clientId }) => clientId)
  const seen = new Set<string>()
  const latest = new Map<string, PublishRecord>()
  const violations: Violation[] = []
  for (const { clientId, payload, qos, connection, isRetained, atMs } of history.deliveries) {
    const publish = publishes.get(payload)
    if (publish === undefined || isRetained || sharers.has(clientId)) continue
    if (atMs >= (tailsLate.get(clientId) ?? Infinity)) continue
    // What a client gave up still reads its old socket, at a time that says nothing.
    if (connection.abandonedMs !== undefined && atMs >= connection.abandonedMs) continue
    const session = connection.expirySeconds === 0 || qos === 0 ? `#${connection.number}` : clientId
    const isDue = byClient
      .get(clientId)
      ?.some(
        subscription =>
          (subscription.isDurable || subscription.connection === connection) &&
          isFor(publish, subscription, atMs),
      )
    if (isDue !== true || seen.has(`${session} ${payload}`)) continue
    // Its publisher sent it again, which began its time anew: what came before had expired.
    if (publish.sends.length > 1 && mayHaveExpired(publish, { clockAheadMs, endMs: atMs })) continue
    seen.add(`${session} ${payload}`)
    const [first] = publish.sends
    const origin = `${publish.publisher} ${first && sessions.get(first.connection)}`
    const stream = `${session} ${origin} ${publish.topic} ${publish.qos} ${qos}`
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

/** After SUBACK at `local`: gossip may have lost the change, and two digests mend that. */
const SPREAD_MS = 3000

/**
 * Whether the message was sent under that subscription: what its publisher had sent before that was in force at its node, or under
 * a subscription ended since, may come only when it is sent again. `atMs`: of its delivery.
 */
function isFor({ topic, sends }: PublishRecord, subscription: SubscriptionRecord, atMs: number): boolean {
  const { filter, subackMs, barrier, unsubscribeSentMs = Infinity } = subscription
  const wasRepeated = sends.filter(({ atMs: sentMs }) => sentMs <= atMs).length > 1
  const isUnderIt = ({ connection: { nodeId }, atMs: sentMs }: PublishRecord['sends'][number]): boolean => {
    const isSpreading = wasRepeated && barrier === 'local' && nodeId !== subscription.connection.nodeId
    return sentMs > subackMs + (isSpreading ? SPREAD_MS : 0) && sentMs < unsubscribeSentMs
  }
  return filterMatches(filter, topic) && sends.every(send => send.atMs > atMs || isUnderIt(send))
}

function describeSends({ sends }: PublishRecord): string {
  return sends.map(({ connection, atMs }) => `to ${connection.nodeId} at ${seconds(atMs)}`).join(', ')
}

/** Numbers each client's sessions: a new one begins on another node without Session Present. */
function sessionsOf(connections: readonly ConnectionRecord[]): Map<ConnectionRecord, number> {
  const sessions = new Map<ConnectionRecord, number>()
  const latest = new Map<string, { readonly nodeId: string; readonly session: number }>()
  for (const connection of connections) {
    const { clientId, nodeId, reasonCode, sessionPresent } = connection
    if (reasonCode !== 0) continue
    const before = latest.get(clientId)
    const isNew = before !== undefined && before.nodeId !== nodeId && !sessionPresent
    const session = (before?.session ?? 0) + (isNew ? 1 : 0)
    latest.set(clientId, { nodeId, session })
    sessions.set(connection, session)
  }
  return sessions
}
