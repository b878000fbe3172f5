import { reason } from '../reason-codes.ts'
import type { ClientConnection } from '../client-connection.ts'
import type { SinkAnswer } from '../wire/packet-framer.ts'
import { decodeConnect } from '../wire/connect-decoder.ts'
import { decodeControl } from '../wire/control-decoder.ts'
import { pingresp } from '../wire/control-encoder.ts'
import { packetType, type PacketFault } from '../wire/packet-types.ts'
import { handleAcknowledgement } from './acknowledgement.ts'
import { handleAuth } from './auth.ts'
import { handleConnect } from './connect.ts'
import { handleDisconnect } from './disconnect.ts'
import { handlePublish } from './publish.ts'
import { handleSubscribe, handleUnsubscribe } from './subscribe.ts'

/** Packets whose reserved flags are 0010; those of all others but PUBLISH are 0000 [MQTT-2.1.3-1]. */
const FLAGGED: ReadonlySet<number> = new Set([
  packetType.subscribe,
  packetType.unsubscribe,
  packetType.pubrel,
])

function protocolError(detail: string): PacketFault {
  return { reasonCode: reason.protocolError, detail }
}

function fail(connection: ClientConnection, fault: PacketFault): SinkAnswer {
  connection.fail(fault)
  return 'closed'
}

function settle(connection: ClientConnection, answer: SinkAnswer | PacketFault): SinkAnswer {
  return typeof answer === 'string' ? answer : fail(connection, answer)
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
    return settle(connection, handlePublish(connection, bytes, start, bodyStart, end))
  }
  if (connection.state === 'authenticating' && type !== packetType.auth && type !== packetType.disconnect) {
    return fail(connection, protocolError('authentication is not over')) // [MQTT-3.1.2-30]
  }
  // The first packet must be CONNECT, and there is only one [MQTT-3.1.0-1] [MQTT-3.1.0-2].
  if ((type === packetType.connect) !== (connection.state === 'new')) {
    return fail(connection, protocolError(type === packetType.connect ? 'second CONNECT' : 'no CONNECT yet'))
  }
  const flags = first & 15
  if (flags !== (FLAGGED.has(type) ? 2 : 0)) {
    return fail(connection, { reasonCode: reason.malformedPacket, detail: 'reserved flags' })
  }
  switch (type) {
    case packetType.pingreq:
      if (bodyStart !== end)
        return fail(connection, { reasonCode: reason.malformedPacket, detail: 'PINGREQ length' })
      connection.send(pingresp) // [MQTT-3.12.4-1]
      return 'continue'
    case packetType.puback:
    case packetType.pubrec:
    case packetType.pubrel:
    case packetType.pubcomp:
      return settle(connection, handleAcknowledgement(connection, type, bytes, bodyStart, end))
    case packetType.connect: {
      const decoded = decodeConnect(bytes, bodyStart, end)
      if ('fault' in decoded) return refuseUnreadable(connection, decoded.fault)
      return handleConnect(connection, decoded.packet)
    }
    default: {
      if (type === packetType.disconnect && bodyStart === end) {
        connection.leave(false) // the usual farewell: nothing to decode
        return 'closed'
      }
      const decoded = decodeControl(bytes, start, bodyStart, end, connection.version)
      if ('fault' in decoded) return fail(connection, decoded.fault)
      const { packet } = decoded
      switch (packet.cmd) {
        case 'auth':
          return settle(connection, handleAuth(connection, packet))
        case 'subscribe':
          return settle(connection, handleSubscribe(connection, packet))
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
