import { isUtf8 } from 'node:buffer'
import type { Publication } from '../../core/publication.ts'
import type { AcknowledgementSlot } from '../acknowledgement-queue.ts'
import type { ClientConnection } from '../client-connection.ts'
import { PlainPublication } from '../plain-publication.ts'
import { reason } from '../reason-codes.ts'
import type { SinkAnswer } from '../wire/packet-framer.ts'
import { packetType, type PacketFault } from '../wire/packet-types.ts'

const DOLLAR = 0x24

/** PUBLISH: checks what the connection allows, routes, and opens the slot its PUBACK or PUBREC waits in. */
export function handlePublish(
  connection: ClientConnection,
  bytes: Uint8Array,
  start: number,
  bodyStart: number,
  end: number,
): SinkAnswer | PacketFault {
  const { services } = connection
  const { decoder, options } = services
  const fault = decoder.decode(bytes, start, bodyStart, end, connection.version)
  if (fault !== undefined) return fault
  if (decoder.topicFault !== undefined && !(decoder.topic === '' && decoder.topicAlias !== undefined)) {
    return { reasonCode: reason.topicNameInvalid, detail: `topic ${decoder.topicFault}` }
  }
  const topic =
    decoder.topicAlias === undefined ? decoder.topic : resolveAlias(connection, decoder.topicAlias)
  if (typeof topic !== 'string') return topic
  if (decoder.retain && !options.retainAvailable) {
    return { reasonCode: reason.retainNotSupported, detail: 'retained messages are not available' } // [MQTT-3.2.2-14]
  }
  const refusal = refusalOf(connection, topic)
  if (decoder.qos === 0) {
    if (refusal === reason.payloadFormatInvalid)
      return { reasonCode: refusal, detail: 'the payload is not UTF-8' }
    services.stats.publishesReceived++
    if (refusal === 0) routeUnacknowledged(connection, topic, start)
  } else {
    const hold = holdOf(connection)
    if (hold !== undefined) return hold
    services.stats.publishesReceived++
    const { heldBack } = services.forwarder
    takeAcknowledged(connection, topic, refusal)
    if (services.forwarder.heldBack !== heldBack) {
      connection.awaitWake()
      return 'pause'
    }
  }
  return 'continue'
}

/** The topic of a packet with an alias, which the packet may set [MQTT-3.3.2-7] [MQTT-3.3.2-12]. */
function resolveAlias(connection: ClientConnection, topicAlias: number): string | PacketFault {
  const { decoder, options } = connection.services
  const { topic } = decoder
  if (topicAlias === 0 || topicAlias > options.topicAliasMax) {
    return { reasonCode: reason.topicAliasInvalid, detail: `topic alias ${topicAlias} is out of range` } // [MQTT-3.3.2-8] [MQTT-3.3.2-9]
  }
  if (topic === '') {
    const known = connection.topicAliases?.get(topicAlias)
    return known ?? { reasonCode: reason.protocolError, detail: `topic alias ${topicAlias} is not known` }
  }
  connection.topicAliases = (connection.topicAliases ?? new Map<number, string>()).set(topicAlias, topic)
  return topic
}

/** Why the message is not routed, 0 = it is. The client stays connected. */
function refusalOf({ services: { decoder } }: ClientConnection, topic: string): number {
  if (decoder.isUtf8Payload && !isUtf8(decoder.payload)) return reason.payloadFormatInvalid
  return topic.charCodeAt(0) === DOLLAR && topic.startsWith('$SYS/') ? reason.notAuthorized : 0 // only the broker speaks there
}

/** What a QoS ≥ 1 message has to wait for, or how it breaks the Receive Maximum. */
function holdOf(connection: ClientConnection): SinkAnswer | PacketFault | undefined {
  const { services, session } = connection
  const { decoder, options, ownership } = services
  if (session === undefined) return 'closed'
  if (!ownership.mayAcknowledge()) {
    connection.awaitWake()
    return 'retry'
  }
  const isRepeated = decoder.qos === 2 && connection.openReceives?.has(decoder.packetId) === true
  if (isRepeated || connection.unacknowledgedCount < options.receiveMax) return undefined
  if (connection.version === 5) {
    return { reasonCode: reason.receiveMaximumExceeded, detail: 'Receive Maximum exceeded' } // [MQTT-3.3.4-9]
  }
  connection.awaitAcknowledgements()
  return 'retry'
}

function routeUnacknowledged(connection: ClientConnection, topic: string, start: number): void {
  const { services, session, version } = connection
  const { decoder } = services
  if (decoder.isPlain) {
    const { bytes, payloadStart, payloadEnd } = decoder
    const publisher = session?.clientId ?? ''
    services.router.publish(
      new PlainPublication(topic, publisher, bytes, start, payloadStart, payloadEnd, version === 5),
      undefined,
    )
    return
  }
  const publication = publicationOf(connection, topic, decoder.payload, decoder.properties)
  if (publication.retain) services.retained.publish(publication)
  services.router.publish(publication, undefined)
}

function takeAcknowledged(connection: ClientConnection, topic: string, refusal: number): void {
  const { services, session } = connection
  const { decoder, journal } = services
  const { packetId, qos, properties } = decoder
  const slot = connection.openSlot(qos === 1 ? packetType.puback : packetType.pubrec, packetId)
  if (refusal !== 0) {
    slot.reasonCode = refusal
  } else if (qos === 1) {
    // What may wait is copied, so that it does not keep a whole network chunk alive.
    const payload = Buffer.from(decoder.payload)
    route(connection, publicationOf(connection, topic, payload, properties && Buffer.from(properties)), slot)
  } else {
    connection.openReceives = (connection.openReceives ?? new Set()).add(packetId)
    const publication = publicationOf(
      connection,
      topic,
      Buffer.from(decoder.payload),
      properties && Buffer.from(properties),
    )
    // Either all of it survives a crash or nothing: the identifier, and the message with everybody who gets it.
    const receipt = session?.publications.receipt(packetId)
    if (receipt === undefined) {
      // At other nodes before it is kept here, it would come there again as another message after a crash.
      if (session?.isJournaled === true) slot.sendAfter = Infinity
      journal.atomically(() => {
        route(connection, publication, slot)
        session?.publications.receive(packetId, publication.id, slot)
      })
      if (session?.isJournaled === true) slot.sendAfter = journal.appended
    } else if (receipt.id !== undefined && receipt.acceptance.outstanding > 0) {
      // A duplicate [MQTT-4.3.3-10], but others may lack it: they know it by its id.
      const { id, isFromElsewhere = false } = receipt
      if (session?.isJournaled === true) slot.sendAfter = journal.appended
      journal.atomically(() => {
        services.router.repeat({ ...publication, id }, slot, isFromElsewhere)
        session?.publications.receive(packetId, id, slot)
      })
    }
    slot.requireCommitted(session?.isJournaled === true ? journal.appended : 0)
  }
  connection.slotReady()
}

function route({ services }: ClientConnection, publication: Publication, slot: AcknowledgementSlot): void {
  if (publication.retain) {
    services.retained.publish(publication)
    slot.requireCommitted(services.journal.appended)
  }
  services.router.publish(publication, slot)
}

function publicationOf(
  { services, session }: ClientConnection,
  topic: string,
  payload: Uint8Array,
  properties: Uint8Array | undefined,
): Publication {
  const { decoder, clock } = services
  const { qos, retain, messageExpirySeconds } = decoder
  return {
    topic,
    payload,
    qos,
    retain,
    properties,
    expiresAtMs:
      messageExpirySeconds === undefined ? undefined : clock.wallNow() + messageExpirySeconds * 1000,
    publisher: session?.clientId ?? '',
  }
}
