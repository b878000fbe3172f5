import type { IConnectPacket } from 'mqtt-packet'
import { limits } from '../../core/limits.ts'
import type { PublishRouter } from '../../core/ports/routing.ts'
import { topicNameFault } from '../../core/topic.ts'
import { ClientAuthentication } from '../client-authentication.ts'
import type { ClientConnection } from '../client-connection.ts'
import type { MqttServices } from '../mqtt-services.ts'
import { reason } from '../reason-codes.ts'
import type { ConnectRequest } from '../connect-request.ts'
import type { Will } from '../will.ts'
import { encodeConnack } from '../wire/control-encoder.ts'
import type { SinkAnswer } from '../wire/packet-framer.ts'
import type { PacketFault, ProtocolVersion } from '../wire/packet-types.ts'

/** CONNECT: refuses what the node cannot serve; the rest goes to the registry, which claims the session. */
export function handleConnect(
  connection: ClientConnection,
  packet: IConnectPacket,
  willProperties: Uint8Array | undefined,
): SinkAnswer {
  const version = packet.protocolVersion ?? 4
  connection.version = version
  const { services } = connection
  if (!services.sessions.isServing) {
    connection.awaitWake()
    return 'retry'
  }
  const refuse = (reasonCode: number, detail: string, properties: RefusalProperties = {}): SinkAnswer => {
    services.stats.connectsRefused++
    connection.refuse(refusal(packet, version, reasonCode, detail, properties), detail)
    return 'closed'
  }
  const fault = connectFault(packet, version, services)
  if (fault !== undefined) return refuse(fault.reasonCode, fault.detail)
  const request = connectRequest(connection, packet, version, willProperties)
  const admit = (admitted: ConnectRequest): SinkAnswer => {
    if (!services.sessions.isDraining) return connect(admitted)
    const { serverReference, serverMoved } = services.options
    const elsewhere = serverMoved === true ? reason.serverMoved : reason.useAnotherServer // section 4.11
    return serverReference === undefined
      ? refuse(reason.serverUnavailable, 'the node is draining: connect to another')
      : refuse(elsewhere, 'the node is draining', { serverReference })
  }
  const methodName = packet.properties?.authenticationMethod
  if (methodName === undefined) {
    if (!services.options.anonymous) return refuse(reason.notAuthorized, 'authentication is required')
    return admit(request)
  }
  const method = services.authenticationMethods.get(methodName)
  if (method === undefined) return refuse(reason.badAuthenticationMethod, 'unknown authentication method') // [MQTT-4.12.0-1]
  connection.state = 'authenticating'
  connection.authentication = new ClientAuthentication(method, connection, request.clientId)
  return connection.authentication.begin(packet.properties?.authenticationData, {
    onSuccess: (_username, data) => void admit({ ...request, authentication: { method: methodName, data } }),
    onFailure: (code, detail) => {
      services.logger.info('authentication failed', { remote: connection.stream.remote, detail })
      refuse(code, 'authentication failed') // [MQTT-4.12.0-4]; the client is not told why
    },
  })
}

function connect(request: ConnectRequest): SinkAnswer {
  const { connection } = request
  connection.services.sessions.connect(request)
  if (connection.state === 'closed') return 'closed'
  return connection.state === 'connected' ? 'continue' : 'pause'
}

interface RefusalProperties {
  readonly serverReference?: string
}

/** A CONNACK that refuses, with the reason in words if the client takes a packet of that size [MQTT-3.2.2-19]. */
function refusal(
  packet: IConnectPacket,
  version: ProtocolVersion,
  reasonCode: number,
  detail: string,
  properties: RefusalProperties,
): Uint8Array {
  const withWords = encodeConnack(version, reasonCode, false, { ...properties, reasonString: detail })
  const packetBytesMax = packet.properties?.maximumPacketSize ?? Infinity
  return withWords.length <= packetBytesMax ? withWords : encodeConnack(version, reasonCode, false, {})
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
  if (properties?.authenticationData !== undefined && properties.authenticationMethod === undefined) {
    return { reasonCode: reason.protocolError, detail: 'authentication data without a method' }
  }
  if (will === undefined) return undefined
  const topicFault = topicNameFault(will.topic, services.options.topicLevelsMax)
  if (topicFault !== undefined)
    return { reasonCode: reason.topicNameInvalid, detail: `will topic ${topicFault}` }
  if (will.topic.startsWith('$SYS/')) return { reasonCode: reason.topicNameInvalid, detail: 'will to $SYS' }
  if (will.retain === true && !services.options.retainAvailable) {
    return { reasonCode: reason.retainNotSupported, detail: 'retained messages are not available' } // [MQTT-3.2.2-13]
  }
  return undefined
}

function willOf(
  packet: IConnectPacket,
  willProperties: Uint8Array | undefined,
  router: Pick<PublishRouter, 'reserveId'>,
): Will | undefined {
  const { will, clientId } = packet
  if (will === undefined) return undefined
  const { payload, properties } = will
  return {
    publication: {
      topic: will.topic,
      payload: typeof payload === 'string' ? Buffer.from(payload) : Uint8Array.from(payload),
      qos: will.qos ?? 0,
      retain: will.retain ?? false,
      properties: willProperties,
      publisher: clientId,
      // By it everybody knows the will again, whoever publishes it.
      id: router.reserveId(),
    },
    messageExpirySeconds: properties?.messageExpiryInterval,
    delaySeconds: properties?.willDelayInterval ?? 0,
  }
}

function connectRequest(
  connection: ClientConnection,
  packet: IConnectPacket,
  version: ProtocolVersion,
  willProperties: Uint8Array | undefined,
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
    topicAliasMax: properties?.topicAliasMaximum ?? 0,
    wantsResponseInformation: properties?.requestResponseInformation === true,
    will: willOf(packet, willProperties, connection.services.router),
    authentication: undefined,
  }
}
