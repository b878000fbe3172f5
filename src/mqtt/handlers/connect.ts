import { limits } from '../../core/limits.ts'
import type { PublishRouter } from '../../core/ports/routing.ts'
import { topicNameFault } from '../../core/topic.ts'
import { ClientAuthentication } from '../client-authentication.ts'
import type { ClientConnection } from '../client-connection.ts'
import type { MqttServices } from '../mqtt-services.ts'
import { reason } from '../reason-codes.ts'
import type { ConnectRequest } from '../connect-request.ts'
import type { Will } from '../will.ts'
import type { ConnectPacket } from '../wire/connect-decoder.ts'
import { encodeConnack } from '../wire/control-encoder.ts'
import type { SinkAnswer } from '../wire/packet-framer.ts'
import type { PacketFault } from '../wire/packet-types.ts'

/** CONNECT: refuses what the node cannot serve; the rest goes to the registry, which claims the session. */
export function handleConnect(connection: ClientConnection, packet: ConnectPacket): SinkAnswer {
  connection.version = packet.version
  const { services } = connection
  if (!services.sessions.isServing) {
    connection.awaitWake()
    return 'retry'
  }
  const refuse = (reasonCode: number, detail: string, properties: RefusalProperties = {}): SinkAnswer => {
    services.stats.connectsRefused++
    connection.refuse(refusal(packet, reasonCode, detail, properties), detail)
    return 'closed'
  }
  const fault = connectFault(packet, services)
  if (fault !== undefined) return refuse(fault.reasonCode, fault.detail)
  const request = connectRequest(connection, packet)
  const admit = (admitted: ConnectRequest): SinkAnswer => {
    if (!services.sessions.isDraining) return connect(admitted)
    const { serverReference, serverMoved } = services.options
    const elsewhere = serverMoved === true ? reason.serverMoved : reason.useAnotherServer // section 4.11
    return serverReference === undefined
      ? refuse(reason.serverUnavailable, 'the node is draining: connect to another')
      : refuse(elsewhere, 'the node is draining', { serverReference })
  }
  const methodName = packet.authenticationMethod
  if (methodName === undefined) {
    if (!services.options.anonymous) return refuse(reason.notAuthorized, 'authentication is required')
    return admit(request)
  }
  const method = services.authenticationMethods.get(methodName)
  if (method === undefined) return refuse(reason.badAuthenticationMethod, 'unknown authentication method') // [MQTT-4.12.0-1]
  connection.state = 'authenticating'
  connection.authentication = new ClientAuthentication(method, connection, request.clientId)
  return connection.authentication.begin(packet.authenticationData, {
    onSuccess: (_username, data) => void admit({ ...request, authentication: { method: methodName, data } }),
    onFailure: (code, detail) => {
      services.logger.info('authentication failed', { remote: connection.stream.remote, detail })
      refuse(code, 'authentication failed') // [MQTT-4.12.0-4]; the client is not told why
    },
  })
}

function connect(request: ConnectRequest): SinkAnswer {
  const { connection } = request
  connection.services.sessions.establisher.connect(request)
  if (connection.state === 'closed') return 'closed'
  return connection.state === 'connected' ? 'continue' : 'pause'
}

interface RefusalProperties {
  readonly serverReference?: string
}

/** A CONNACK that refuses, with the reason in words if the client takes a packet of that size [MQTT-3.2.2-19]. */
function refusal(
  { version, packetBytesMax }: ConnectPacket,
  reasonCode: number,
  detail: string,
  properties: RefusalProperties,
): Uint8Array {
  const withWords = encodeConnack(version, reasonCode, false, { ...properties, reasonString: detail })
  return withWords.length <= packetBytesMax ? withWords : encodeConnack(version, reasonCode, false, {})
}

function connectFault(
  packet: ConnectPacket,
  services: Pick<MqttServices, 'options'>,
): PacketFault | undefined {
  const { version, clientId, cleanStart, will } = packet
  if (clientId === '' && version < 5 && !cleanStart) {
    return {
      reasonCode: reason.clientIdentifierNotValid,
      detail: 'no client identifier and no clean session',
    } // [MQTT-3.1.3-8] of 3.1.1
  }
  if (Buffer.byteLength(clientId) > limits.clientIdBytesMax) {
    return { reasonCode: reason.clientIdentifierNotValid, detail: 'client identifier is too long' }
  }
  if (packet.authenticationData !== undefined && packet.authenticationMethod === undefined) {
    return { reasonCode: reason.protocolError, detail: 'authentication data without a method' }
  }
  if (will === undefined) return undefined
  const topicFault = topicNameFault(will.topic, services.options.topicLevelsMax)
  if (topicFault !== undefined)
    return { reasonCode: reason.topicNameInvalid, detail: `will topic ${topicFault}` }
  if (will.topic.startsWith('$SYS/')) return { reasonCode: reason.topicNameInvalid, detail: 'will to $SYS' }
  if (will.retain && !services.options.retainAvailable) {
    return { reasonCode: reason.retainNotSupported, detail: 'retained messages are not available' } // [MQTT-3.2.2-13]
  }
  return undefined
}

function willOf(
  { will, clientId }: ConnectPacket,
  router: Pick<PublishRouter, 'reserveId'>,
): Will | undefined {
  if (will === undefined) return undefined
  const { topic, payload, qos, retain, properties, messageExpirySeconds, delaySeconds } = will
  // By its id everybody knows the will again, whoever publishes it.
  const id = router.reserveId()
  const publication = { topic, payload, qos, retain, properties, publisher: clientId, id }
  return { publication, messageExpirySeconds, delaySeconds }
}

function connectRequest(connection: ClientConnection, packet: ConnectPacket): ConnectRequest {
  const { options, random, router } = connection.services
  const { version, cleanStart, keepAliveSeconds } = packet
  const assigned = packet.clientId === ''
  // Clean Session 0 of 3.1.1 asks for a session without end; it gets the longest the operator allows.
  const wantedExpiry = version === 5 ? packet.sessionExpirySeconds : cleanStart ? 0 : 0xffff_ffff
  const { keepAliveMax } = options
  const isKeepAliveOverruled =
    version === 5 && keepAliveMax > 0 && (keepAliveSeconds === 0 || keepAliveSeconds > keepAliveMax)
  return {
    connection,
    version,
    clientId: assigned ? `auto-${Buffer.from(random.bytes(12)).toString('hex')}` : packet.clientId,
    isClientIdAssigned: assigned,
    cleanStart,
    expiryIntervalSeconds: Math.min(wantedExpiry, options.expiryIntervalMax),
    isExpiryOverruled: version === 5 && wantedExpiry > options.expiryIntervalMax,
    keepAliveSeconds: isKeepAliveOverruled ? keepAliveMax : keepAliveSeconds,
    isKeepAliveOverruled,
    receiveMaximum: packet.receiveMaximum,
    packetBytesMax: packet.packetBytesMax,
    topicAliasMax: packet.topicAliasMax,
    wantsResponseInformation: packet.wantsResponseInformation,
    will: willOf(packet, router),
    authentication: undefined,
  }
}
