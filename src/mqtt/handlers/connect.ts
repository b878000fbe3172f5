import type { IConnectPacket } from 'mqtt-packet'
import { limits } from '../../core/limits.ts'
import { topicNameFault } from '../../core/topic.ts'
import type { ClientConnection } from '../client-connection.ts'
import type { MqttServices } from '../mqtt-services.ts'
import { reason } from '../reason-codes.ts'
import type { ConnectRequest } from '../session-registry.ts'
import type { Will } from '../will.ts'
import { encodeConnack } from '../wire/control-encoder.ts'
import type { SinkAnswer } from '../wire/packet-framer.ts'
import type { PacketFault, ProtocolVersion } from '../wire/packet-types.ts'
import { encodeWillProperties } from '../wire/will-properties.ts'

/** CONNECT: refuses what the node cannot serve; the rest goes to the registry, which claims the session. */
export function handleConnect(connection: ClientConnection, packet: IConnectPacket): SinkAnswer {
  const version = packet.protocolVersion ?? 4
  connection.version = version
  const { services } = connection
  if (!services.sessions.isServing) {
    connection.awaitWake()
    return 'retry'
  }
  const fault = connectFault(packet, version, services)
  if (fault !== undefined) {
    services.stats.connectsRefused++
    connection.refuse(encodeConnack(version, fault.reasonCode, false, {}), fault.detail)
    return 'closed'
  }
  connection.will = willOf(packet, version)
  services.sessions.connect(connectRequest(connection, packet, version))
  if (connection.state === 'closed') return 'closed'
  return connection.state === 'connected' ? 'continue' : 'pause'
}

function connectFault(
  packet: IConnectPacket,
  version: ProtocolVersion,
  services: Pick<MqttServices, 'options'>,
): PacketFault | undefined {
  const { clientId, will, properties } = packet
  if (clientId === '' && version < 5 && packet.clean !== true) {
    return {
      reasonCode: reason.clientIdentifierNotValid,
      detail: 'no client identifier and no clean session',
    } // [MQTT-3.1.3-8] of 3.1.1
  }
  if (Buffer.byteLength(clientId) > limits.clientIdBytesMax) {
    return { reasonCode: reason.clientIdentifierNotValid, detail: 'client identifier is too long' }
  }
  if (properties?.authenticationMethod !== undefined) {
    return {
      reasonCode: reason.badAuthenticationMethod,
      detail: 'enhanced authentication is not supported yet',
    } // [MQTT-4.12.0-1]
  }
  if (will === undefined) return undefined
  const topicFault = topicNameFault(will.topic, services.options.topicLevelsMax)
  if (topicFault !== undefined)
    return { reasonCode: reason.topicNameInvalid, detail: `will topic ${topicFault}` }
  if (version === 5 && will.retain === true) {
    return { reasonCode: reason.retainNotSupported, detail: 'retained messages are not supported yet' } // [MQTT-3.2.2-13]
  }
  if (version === 5 && will.qos === 2) {
    return { reasonCode: reason.qosNotSupported, detail: 'QoS 2 is not supported yet' } // [MQTT-3.2.2-12]
  }
  return undefined
}

function willOf(packet: IConnectPacket, version: ProtocolVersion): Will | undefined {
  const { will, clientId } = packet
  if (will === undefined) return undefined
  const { payload, properties } = will
  return {
    publication: {
      topic: will.topic,
      payload: typeof payload === 'string' ? Buffer.from(payload) : Uint8Array.from(payload),
      qos: will.qos === undefined || will.qos === 0 ? 0 : 1,
      retain: false,
      properties: version === 5 && properties !== undefined ? encodeWillProperties(properties) : undefined,
      publisher: clientId,
    },
    messageExpirySeconds: properties?.messageExpiryInterval,
    delaySeconds: properties?.willDelayInterval ?? 0,
  }
}

function connectRequest(
  connection: ClientConnection,
  packet: IConnectPacket,
  version: ProtocolVersion,
): ConnectRequest {
  const { options, random } = connection.services
  const assigned = packet.clientId === ''
  const { properties } = packet
  const cleanStart = packet.clean ?? true
  // Clean Session 0 of 3.1.1 asks for a session without end; it gets the longest the operator allows.
  const wantedExpiry = version === 5 ? (properties?.sessionExpiryInterval ?? 0) : cleanStart ? 0 : 0xffff_ffff
  const keepAlive = packet.keepalive ?? 0
  const { keepAliveMax } = options
  const isKeepAliveOverruled =
    version === 5 && keepAliveMax > 0 && (keepAlive === 0 || keepAlive > keepAliveMax)
  return {
    connection,
    version,
    clientId: assigned ? `auto-${Buffer.from(random.bytes(12)).toString('hex')}` : packet.clientId,
    isClientIdAssigned: assigned,
    cleanStart,
    expiryIntervalSeconds: Math.min(wantedExpiry, options.expiryIntervalMax),
    isExpiryOverruled: version === 5 && wantedExpiry > options.expiryIntervalMax,
    keepAliveSeconds: isKeepAliveOverruled ? keepAliveMax : keepAlive,
    isKeepAliveOverruled,
    receiveMaximum: properties?.receiveMaximum ?? 65_535,
    packetBytesMax: properties?.maximumPacketSize ?? Infinity,
  }
}
