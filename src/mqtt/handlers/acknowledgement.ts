import type { ClientConnection } from '../client-connection.ts'
import { reason } from '../reason-codes.ts'
import type { SinkAnswer } from '../wire/packet-framer.ts'
import { readAcknowledgement } from '../wire/acknowledgement-codec.ts'
import { packetType, type PacketFault } from '../wire/packet-types.ts'

/**
 * PUBACK, PUBREC and PUBCOMP of messages we sent, PUBREL of messages the client sent (MQTT 5 section 4.3). While the node is
 * suspended they wait: each changes the session.
 */
export function handleAcknowledgement(
  connection: ClientConnection,
  type: number,
  bytes: Uint8Array,
  bodyStart: number,
  end: number,
): SinkAnswer | PacketFault {
  const read = readAcknowledgement(bytes, bodyStart, end, connection.version, type)
  if ('detail' in read) return read
  const { session, services } = connection
  if (session === undefined) return 'closed'
  if (!services.ownership.mayAcknowledge()) {
    connection.awaitWake()
    return 'retry'
  }
  const { packetId, reasonCode } = read
  const { success, packetIdentifierNotFound } = reason
  switch (type) {
    case packetType.puback:
      session.acknowledge(packetId, 1)
      break
    case packetType.pubrec:
      if (reasonCode >= 0x80)
        session.acknowledge(packetId, 2) // the client does not want it [MQTT-4.3.3-3]
      else {
        const isKnown = session.release(packetId)
        connection.sendRelease(packetId, isKnown ? success : packetIdentifierNotFound) // [MQTT-4.3.3-4]
      }
      break
    case packetType.pubcomp:
      session.complete(packetId)
      break
    case packetType.pubrel: {
      const isKnown = session.publications.releaseReceived(packetId)
      connection.openReceives?.delete(packetId)
      const slot = connection.openSlot(packetType.pubcomp, packetId) // [MQTT-4.3.3-11]
      slot.reasonCode = isKnown ? success : packetIdentifierNotFound
      // Before the identifier is forgotten for good, a message under it would be taken for a duplicate.
      if (isKnown && session.isJournaled) slot.requireCommitted(services.journal.appended)
      connection.slotReady()
      break
    }
  }
  connection.continueSending()
  return 'continue'
}
