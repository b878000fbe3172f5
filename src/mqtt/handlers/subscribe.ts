import type { ISubscribePacket, ISubscription, IUnsubscribePacket } from 'mqtt-packet'
import { limits } from '../../core/limits.ts'
import { isSharedFilter, topicFilterFault } from '../../core/topic.ts'
import type { QoS } from '../../core/qos.ts'
import type { ClientConnection } from '../client-connection.ts'
import { reason } from '../reason-codes.ts'
import type { Session } from '../session.ts'
import { encodeSuback, encodeUnsuback } from '../wire/control-encoder.ts'
import type { SinkAnswer } from '../wire/packet-framer.ts'

/** SUBSCRIBE: each filter is granted or refused by itself; SUBACK waits until the journal has them. */
export function handleSubscribe(connection: ClientConnection, packet: ISubscribePacket): SinkAnswer {
  const { session, services } = connection
  if (session === undefined) return 'closed'
  if (!services.ownership.mayAcknowledge()) {
    connection.awaitWake()
    return 'retry'
  }
  if (packet.properties?.subscriptionIdentifier !== undefined) {
    connection.fail({
      reasonCode: reason.subscriptionIdentifiersNotSupported, // CONNACK said so [MQTT-3.2.2-3.12]
      detail: 'subscription identifiers are not supported yet',
    })
    return 'closed'
  }
  const codes = packet.subscriptions.map((requested, i) =>
    subscribe(session, requested, i, services.options.topicLevelsMax),
  )
  const slot = connection.openSlot(
    packet.messageId ?? 0,
    encodeSuback(connection.version, packet.messageId ?? 0, codes),
  )
  if (session.isJournaled) slot.requireCommitted(services.journal.appended)
  connection.slotReady()
  return 'continue'
}

function subscribe(session: Session, requested: ISubscription, i: number, levelsMax: number): number {
  const filter = requested.topic
  if (i >= limits.filtersPerSubscribeMax) return reason.quotaExceeded
  if (isSharedFilter(filter)) return reason.sharedSubscriptionsNotSupported
  if (topicFilterFault(filter, levelsMax) !== undefined) return reason.topicFilterInvalid
  const qos = Math.min(requested.qos, 1) as QoS
  session.subscribe({
    filter,
    qos,
    noLocal: requested.nl ?? false,
    retainAsPublished: requested.rap ?? false,
    subscriptionIdentifier: undefined,
  })
  return qos
}

/** UNSUBSCRIBE: nothing more is queued for the filter once UNSUBACK leaves [MQTT-3.10.4-2]. */
export function handleUnsubscribe(connection: ClientConnection, packet: IUnsubscribePacket): SinkAnswer {
  const { session, services } = connection
  if (session === undefined) return 'closed'
  if (!services.ownership.mayAcknowledge()) {
    connection.awaitWake()
    return 'retry'
  }
  const codes = packet.unsubscriptions.map(filter =>
    session.unsubscribe(filter) ? reason.success : reason.noSubscriptionExisted,
  )
  const slot = connection.openSlot(
    packet.messageId ?? 0,
    encodeUnsuback(connection.version, packet.messageId ?? 0, codes),
  )
  if (session.isJournaled) slot.requireCommitted(services.journal.appended)
  connection.slotReady()
  return 'continue'
}
