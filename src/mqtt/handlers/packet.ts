import { reason } from '../reason-codes.ts'
import type { ClientConnection } from '../client-connection.ts'
import type { SinkAnswer } from '../wire/packet-framer.ts'
import { decodeControl } from '../wire/control-decoder.ts'
import { pingresp } from '../wire/control-encoder.ts'
import { packetType, type PacketFault } from '../wire/packet-types.ts'
import { handleAcknowledgement } from './acknowledgement.ts'
import { handleConnect } from './connect.ts'
import { handleDisconnect } from './disconnect.ts'
import { handlePublish } from './publish.ts'
import { handleSubscribe, handleUnsubscribe } from './subscribe.ts'

const DISCONNECT_FLAGS = 0
const SUBSCRIBE_FLAGS = 2

function protocolError(detail: string): PacketFault {
  return { reasonCode: reason.protocolError, detail }
}

function fail(connection: ClientConnection, fault: PacketFault): SinkAnswer {
  connection.fail(fault)
  return 'closed'
}

/**
 * Sends one packet to its handler. A new packet type gets a file beside this one and a case here. Handlers return a
 * fault, which closes the connection, or what the framer is to do next.
 */
export function handlePacket(
  connection: ClientConnection,
  bytes: Uint8Array,
  start: number,
  bodyStart: number,
  end: number,
): SinkAnswer {
  const first = bytes[start] as number
  const type = first >> 4
  if (type === packetType.publish && connection.state === 'connected') {
    const answer = handlePublish(connection, bytes, start, bodyStart, end)
    return typeof answer === 'string' ? answer : fail(connection, answer)
  }
  // The first packet must be CONNECT, and there is only one [MQTT-3.1.0-1] [MQTT-3.1.0-2].
  if ((type === packetType.connect) !== (connection.state === 'new')) {
    return fail(connection, protocolError(type === packetType.connect ? 'second CONNECT' : 'no CONNECT yet'))
  }
  const flags = first & 15
  const expected =
    type === packetType.subscribe || type === packetType.unsubscribe ? SUBSCRIBE_FLAGS : DISCONNECT_FLAGS
  if (flags !== expected) {
    return fail(connection, { reasonCode: reason.malformedPacket, detail: 'reserved flags' }) // [MQTT-2.1.3-1]
  }
  switch (type) {
    case packetType.pingreq:
      if (bodyStart !== end)
        return fail(connection, { reasonCode: reason.malformedPacket, detail: 'PINGREQ length' })
      connection.send(pingresp) // [MQTT-3.12.4-1]
      return 'continue'
    case packetType.puback: {
      const fault = handleAcknowledgement(connection, bytes, bodyStart, end)
      return fault === undefined ? 'continue' : fail(connection, fault)
    }
    default: {
      const decoded = decodeControl(bytes, start, bodyStart, end, connection.version)
      if ('fault' in decoded) {
        if (type === packetType.connect) return refuseUnreadable(connection, decoded.fault)
        return fail(connection, decoded.fault)
      }
      const { packet } = decoded
      switch (packet.cmd) {
        case 'connect':
          return handleConnect(connection, packet)
        case 'subscribe':
          return handleSubscribe(connection, packet)
        case 'unsubscribe':
          return handleUnsubscribe(connection, packet)
        case 'disconnect': {
          const fault = handleDisconnect(connection, packet)
          return fault === undefined ? 'closed' : fail(connection, fault)
        }
      }
    }
  }
}

/** CONNACK of 3.1.1 with return code 1, which clients of every version understand as "not this protocol". */
const unacceptableProtocol = new Uint8Array([packetType.connack << 4, 2, 0, 1])

/** An unreadable CONNECT gets no answer [MQTT-3.1.4-1], an unsupported version gets return code 1 [MQTT-3.1.2-2]. */
function refuseUnreadable(connection: ClientConnection, fault: PacketFault): SinkAnswer {
  if (fault.reasonCode === reason.unsupportedProtocolVersion)
    connection.refuse(unacceptableProtocol, fault.detail)
  else connection.fail(fault)
  return 'closed'
}
