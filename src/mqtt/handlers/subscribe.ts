import type { ISubscribePacket, ISubscription, IUnsubscribePacket } from 'mqtt-packet'
import { limits } from '../../core/limits.ts'
import type { LocalMatch } from '../../core/ports/routing.ts'
import type { Publication } from '../../core/publication.ts'
import { hasWildcard, topicFilterFault } from '../../core/topic.ts'
import type { ClientConnection } from '../client-connection.ts'
import { reason } from '../reason-codes.ts'
import type { Session } from '../session.ts'
import { parseFilter } from '../shared-filter.ts'
import { encodeSuback, encodeUnsuback } from '../wire/control-encoder.ts'
import type { SinkAnswer } from '../wire/packet-framer.ts'
import type { PacketFault } from '../wire/packet-types.ts'

/** Retain Handling (MQTT 5 section 3.8.3.1). */
const SEND_IF_NEW = 1
const DO_NOT_SEND = 2

interface RetainedToSend {
  readonly messages: readonly Publication[]
  readonly match: LocalMatch
}

/** SUBSCRIBE: each filter is granted or refused by itself; SUBACK waits until the journal has them. */
export function handleSubscribe(
  connection: ClientConnection,
  packet: ISubscribePacket,
): SinkAnswer | PacketFault {
  const { session, services } = connection
  if (session === undefined) return 'closed'
  if (!services.ownership.mayAcknowledge()) {
    connection.awaitWake()
    return 'retry'
  }
  const { subscriptions, properties } = packet
  if (subscriptions.some(({ topic, nl }) => nl === true && topic.startsWith('$share/'))) {
    return { reasonCode: reason.protocolError, detail: 'No Local on a shared subscription' } // [MQTT-3.8.3-4]
  }
  const retained: RetainedToSend[] = []
  const codes = subscriptions.map((requested, i) => {
    if (i >= limits.filtersPerSubscribeMax) return reason.quotaExceeded
    const code = refusalOf(connection, requested.topic)
    if (code !== undefined) return code
    const found = subscribe(connection, session, requested, properties?.subscriptionIdentifier)
    if (found !== undefined) retained.push(found)
    return requested.qos
  })
  const packetId = packet.messageId ?? 0
  const slot = connection.openSlot(0, packetId, encodeSuback(connection.version, packetId, codes))
  if (session.isJournaled) slot.requireCommitted(services.journal.appended)
  if (retained.length > 0) {
    slot.afterwards = () => {
      for (const { messages, match } of retained) connection.deliverRetained(messages, match)
    }
  }
  connection.slotReady()
  return 'continue'
}

/** Why a filter is not granted, as a SUBACK reason code. */
function refusalOf({ services: { options } }: ClientConnection, text: string): number | undefined {
  const parsed = parseFilter(text)
  if (parsed === undefined) return reason.topicFilterInvalid
  const { filter, group } = parsed
  if (topicFilterFault(filter, options.topicLevelsMax) !== undefined) return reason.topicFilterInvalid
  if (group !== undefined && !options.sharedAvailable) return reason.sharedSubscriptionsNotSupported
  if (hasWildcard(filter) && !options.wildcardAvailable) return reason.wildcardSubscriptionsNotSupported
  return undefined
}

/** Makes the subscription; answers with the retained messages it is owed, if any. */
function subscribe(
  { services }: ClientConnection,
  session: Session,
  requested: ISubscription,
  subscriptionIdentifier: number | undefined,
): RetainedToSend | undefined {
  const { topic, qos, nl, rap, rh } = requested
  const isNew = !session.subscriptions.has(topic)
  const subscription = session.subscribe({
    filter: topic,
    qos,
    noLocal: nl ?? false,
    retainAsPublished: rap ?? false,
    subscriptionIdentifier,
  })
  // Shared subscriptions get no retained messages; [MQTT-3.3.1-9] … [MQTT-3.3.1-11] for the others.
  if (subscription.group !== undefined || rh === DO_NOT_SEND || (rh === SEND_IF_NEW && !isNew))
    return undefined
  return { messages: services.retained.match(subscription.filter), match: subscription }
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
  const packetId = packet.messageId ?? 0
  const slot = connection.openSlot(0, packetId, encodeUnsuback(connection.version, packetId, codes))
  if (session.isJournaled) slot.requireCommitted(services.journal.appended)
  connection.slotReady()
  return 'continue'
}
