import type { Outcome } from '../../../sim/checkers/checker.ts'
import {
  type ConnectionRecord,
  type DeliveryRecord,
  History,
  payloadOf,
  type PublishRecord,
  type SubscriptionRecord,
} from '../../../sim/clients/history.ts'

/** Writes a history by hand, in which everything is well unless the test says otherwise. */
export class OutcomeBuilder {
  readonly history = new History()
  outcome: Omit<Outcome, 'history'> = {
    broken: [],
    unsettled: [],
    dropped: {},
    retained: [],
    ownerships: [],
    storeReplacedMs: [],
    disturbed: [],
    pauses: [],
    renewals: [],
    servedDamaged: [],
    nodes: [],
    starts: [],
    clockAheadMs: 0,
    tailsLate: new Map(),
    endMs: 100_000,
  }

  build(): Outcome {
    return { ...this.outcome, history: this.history }
  }

  connect(
    clientId: string,
    nodeId: string,
    atMs: number,
    more: Partial<ConnectionRecord> = {},
  ): ConnectionRecord {
    const connection: ConnectionRecord = {
      number: this.history.connections.length + 1,
      clientId,
      nodeId,
      connectSentMs: atMs,
      cleanStart: false,
      expirySeconds: 3600,
      receiveMax: 10,
      will: undefined,
      connackWrittenMs: atMs + 1,
      connackMs: atMs + 2,
      lastWrittenMs: atMs + 1,
      reasonCode: 0,
      sessionPresent: this.history.connections.some(other => other.clientId === clientId),
      disconnectSentMs: undefined,
      disconnectReadMs: undefined,
      endsSession: false,
      disconnectReason: undefined,
      abandonedMs: undefined,
      isLeftOpen: false,
      closedMs: undefined,
      ...more,
    }
    this.history.connections.push(connection)
    return connection
  }

  subscribe(
    connection: ConnectionRecord,
    filter: string,
    atMs: number,
    more: Partial<SubscriptionRecord> = {},
  ): SubscriptionRecord {
    const { clientId } = connection
    this.history.attempts.push({ clientId, filter, atMs, refusedMs: undefined })
    const subscription: SubscriptionRecord = {
      clientId,
      filter,
      group: undefined,
      qos: 2,
      barrier: 'all',
      isDurable: true,
      connection,
      subackMs: atMs + 1,
      unsubscribeSentMs: undefined,
      unsubackMs: undefined,
      endedMs: undefined,
      ...more,
    }
    this.history.subscriptions.push(subscription)
    return subscription
  }

  /** Acknowledged 5 ms later. */
  publish(
    connection: ConnectionRecord,
    sequence: number,
    atMs: number,
    more: Partial<PublishRecord> = {},
  ): PublishRecord {
    const publish: PublishRecord = {
      publisher: connection.clientId,
      sequence,
      topic: 't/1',
      qos: 2,
      retain: false,
      isEmpty: false,
      isLarge: false,
      expirySeconds: undefined,
      sends: [{ connection, atMs }],
      acknowledgedMs: atMs + 5,
      acknowledgedOn: connection,
      ...more,
    }
    this.history.publishes.push(publish)
    return publish
  }

  deliver(
    connection: ConnectionRecord,
    publish: PublishRecord,
    atMs: number,
    more: Partial<DeliveryRecord> = {},
  ): void {
    this.history.deliveries.push({
      clientId: connection.clientId,
      connection,
      payload: payloadOf(publish.publisher, publish.sequence),
      topic: publish.topic,
      qos: publish.qos,
      packetId: this.history.deliveries.length + 1,
      isDuplicateFlagged: false,
      isRetained: false,
      atMs,
      writtenMs: atMs - 1,
      isRetransmission: false,
      ...more,
    })
  }
}
