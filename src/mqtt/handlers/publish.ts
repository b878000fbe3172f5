import { topicNameFault } from '../../core/topic.ts'
import type { ClientConnection } from '../client-connection.ts'
import { reason } from '../reason-codes.ts'
import type { SinkAnswer } from '../wire/packet-framer.ts'
import type { PacketFault } from '../wire/packet-types.ts'

/** PUBLISH: checks what the connection allows, routes, and opens the slot its PUBACK waits in. */
export function handlePublish(
  connection: ClientConnection,
  bytes: Uint8Array,
  start: number,
  bodyStart: number,
  end: number,
): SinkAnswer | PacketFault {
  const { services, session } = connection
  const { decoder, options, ownership, router, stats } = services
  const fault = decoder.decode(bytes, start, bodyStart, end, connection.version)
  if (fault !== undefined) return fault
  const { topic, qos, packetId } = decoder
  if (decoder.topicAlias !== undefined) {
    // CONNACK announced a Topic Alias Maximum of 0 [MQTT-3.3.2-9].
    return { reasonCode: reason.topicAliasInvalid, detail: 'topic alias, though none was allowed' }
  }
  const topicFault = topicNameFault(topic, options.topicLevelsMax)
  if (topicFault !== undefined) return { reasonCode: reason.topicNameInvalid, detail: `topic ${topicFault}` }
  if (qos === 2) return { reasonCode: reason.qosNotSupported, detail: 'QoS 2 is not supported yet' } // [MQTT-3.2.2-11]
  if (connection.version === 5 && decoder.retain) {
    return { reasonCode: reason.retainNotSupported, detail: 'retained messages are not supported yet' } // [MQTT-3.2.2-14]
  }
  if (qos > 0) {
    if (!ownership.mayAcknowledge()) {
      connection.awaitWake()
      return 'retry'
    }
    if (connection.unacknowledgedCount >= options.receiveMax) {
      if (connection.version === 5) {
        return { reasonCode: reason.receiveMaximumExceeded, detail: 'Receive Maximum exceeded' } // [MQTT-3.3.4-9]
      }
      connection.awaitAcknowledgements()
      return 'retry'
    }
  }
  stats.publishesReceived++
  const expiry = decoder.messageExpirySeconds
  const publication = {
    topic,
    // What may wait is copied, so that it does not keep a whole network chunk alive.
    payload: qos > 0 ? Buffer.from(decoder.payload) : decoder.payload,
    qos,
    retain: decoder.retain,
    properties: qos > 0 && decoder.properties !== undefined ? Buffer.from(decoder.properties) : decoder.properties,
    expiresAtMs: expiry === undefined ? undefined : services.clock.wallNow() + expiry * 1000,
    publisher: session?.clientId ?? '',
  }
  if (qos === 0) {
    router.publish(publication, undefined)
  } else {
    const slot = connection.openSlot(packetId)
    router.publish(publication, slot)
    connection.slotReady()
  }
  if (services.forwarder.isFull) {
    connection.awaitWake()
    return 'pause'
  }
  return 'continue'
}
