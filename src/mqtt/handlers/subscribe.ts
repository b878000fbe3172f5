import type { ISubscribePacket, ISubscription, IUnsubscribePacket } from 'mqtt-packet'
import { limits } from '../../core/limits.ts'
import type { LocalMatch, LocalSubscription } from '../../core/ports/routing.ts'
import type { SubscriptionRecord } from '../../core/ports/session-journal.ts'
import type { Publication } from '../../core/publication.ts'
import { hasWildcard, topicFilterFault } from '../../core/topic.ts'
import type { AcknowledgementSlot } from '../acknowledgement-queue.ts'
import type { ClientConnection } from '../client-connection.ts'
import { barrierLevelOf, type BarrierLevel } from '../barrier-level.ts'
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
  readonly messages: Publication[]
  readonly match: LocalMatch
}

/** A subscription a SUBSCRIBE made, and what it replaced. */
interface Made {
  readonly index: number
  readonly text: string
  readonly subscription: LocalSubscription
  readonly before: LocalSubscription | undefined
}

/**
 * SUBSCRIBE: each filter is granted or refused by itself; SUBACK waits until the journal has them, and until the other nodes
 * know of them as far as the barrier says.
 */
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
  const barrier = barrierLevelOf(properties?.userProperties, services.options.subackBarrier)
  const retained: RetainedToSend[] = []
  const made: Made[] = []
  const codes = subscriptions.map((requested, i) => {
    if (barrier === undefined) return reason.implementationSpecificError
    if (i >= limits.filtersPerSubscribeMax) return reason.quotaExceeded
    const code = refusalOf(connection, session, requested.topic)
    if (code !== undefined) return code
    const before = session.subscriptions.get(requested.topic)
    const subscription = subscribe(session, requested, properties?.subscriptionIdentifier)
    made.push({ index: i, text: requested.topic, subscription, before })
    if (isOwedRetained(requested, subscription, before === undefined)) {
      retained.push({ messages: services.retained.match(subscription.filter), match: subscription })
    }
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
  if (barrier === undefined || barrier === 'local' || made.length === 0) connection.slotReady()
  else awaitBarrier(connection, session, barrier, { slot, codes, made })
  return 'continue'
}

/** Holds SUBACK until the barrier is reached; when it is not in time, what was granted is taken back (DESIGN section 4.4). */
function awaitBarrier(
  { services, version }: ClientConnection,
  session: Session,
  level: Exclude<BarrierLevel, 'local'>,
  { slot, codes, made }: { slot: AcknowledgementSlot; codes: number[]; made: readonly Made[] },
): void {
  slot.expect()
  services.barrier.whenApplied(level, services.options.barrierTimeoutMs, isApplied => {
    if (!isApplied) {
      services.stats.barriersMissed++
      for (const { index, text, subscription, before } of made) {
        codes[index] = reason.unspecifiedError
        // Changed once more since, or the session is gone: not this SUBSCRIBE's any more.
        if (session.subscriptions.get(text) !== subscription) continue
        if (before === undefined) session.subscriptions.remove(text)
        else session.subscriptions.add(recordOf(text, before))
      }
      slot.bytes = encodeSuback(version, slot.packetId, codes)
      slot.afterwards = undefined
      if (session.isJournaled) slot.requireCommitted(services.journal.appended)
    }
    slot.settle()
  })
}

function recordOf(text: string, subscription: LocalSubscription): SubscriptionRecord {
  const { qos, noLocal, retainAsPublished, subscriptionIdentifiers } = subscription
  return { filter: text, qos, noLocal, retainAsPublished, subscriptionIdentifier: subscriptionIdentifiers[0] }
}

/** Why a filter is not granted, as a SUBACK reason code. */
function refusalOf(
  { services: { options, stats, overQuota } }: ClientConnection,
  { clientId, subscriptions }: Session,
  text: string,
): number | undefined {
  const parsed = parseFilter(text)
  if (parsed === undefined) return reason.topicFilterInvalid
  const { filter, group } = parsed
  if (topicFilterFault(filter, options.topicLevelsMax) !== undefined) return reason.topicFilterInvalid
  if (group !== undefined && !options.sharedAvailable) return reason.sharedSubscriptionsNotSupported
  if (hasWildcard(filter) && !options.wildcardAvailable) return reason.wildcardSubscriptionsNotSupported
  if (subscriptions.get(text) !== undefined || subscriptions.hasRoomFor(filter)) return undefined
  stats.subscriptionsOverQuota++
  overQuota.note(clientId)
  return reason.quotaExceeded
}

function subscribe(
  session: Session,
  { topic, qos, nl, rap }: ISubscription,
  subscriptionIdentifier: number | undefined,
): LocalSubscription {
  return session.subscriptions.add({
    filter: topic,
    qos,
    noLocal: nl ?? false,
    retainAsPublished: rap ?? false,
    subscriptionIdentifier,
  })
}

/** Shared subscriptions get no retained messages; [MQTT-3.3.1-9] … [MQTT-3.3.1-11] for the others. */
function isOwedRetained({ rh }: ISubscription, { group }: LocalSubscription, isNew: boolean): boolean {
  return group === undefined && rh !== DO_NOT_SEND && (rh !== SEND_IF_NEW || isNew)
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
    session.subscriptions.remove(filter) ? reason.success : reason.noSubscriptionExisted,
  )
  const packetId = packet.messageId ?? 0
  const slot = connection.openSlot(0, packetId, encodeUnsuback(connection.version, packetId, codes))
  if (session.isJournaled) slot.requireCommitted(services.journal.appended)
  connection.slotReady()
  return 'continue'
}
