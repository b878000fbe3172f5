import type { ClientId } from '../core/ids.ts'
import type { ClaimRefusal } from '../core/ports/session-ownership.ts'
import type { ClientConnection } from './client-connection.ts'
import type { MqttOptions } from './mqtt-services.ts'
import { reason } from './reason-codes.ts'
import type { Will } from './will.ts'
import { encodeConnack } from './wire/control-encoder.ts'
import type { ProtocolVersion } from './wire/packet-types.ts'

/** A valid CONNECT that waits for its session. */
export interface ConnectRequest {
  readonly connection: ClientConnection
  readonly version: ProtocolVersion
  readonly clientId: ClientId
  readonly isClientIdAssigned: boolean
  readonly cleanStart: boolean
  readonly expiryIntervalSeconds: number
  readonly isExpiryOverruled: boolean
  readonly keepAliveSeconds: number
  readonly isKeepAliveOverruled: boolean
  readonly receiveMaximum: number
  readonly packetBytesMax: number
  readonly topicAliasMax: number
  readonly wantsResponseInformation: boolean
  readonly will: Will | undefined
  /** What CONNACK says of a successful enhanced authentication. */
  readonly authentication: { readonly method: string; readonly data: Uint8Array | undefined } | undefined
}

/** CONNACKs of CONNECTs that have got their session. What most clients get is encoded once. */
export class Acceptances {
  readonly #options: MqttOptions
  readonly #ordinary = new Map<number, Uint8Array>()

  constructor(options: MqttOptions) {
    this.#options = options
  }

  /** Not to be changed: others get the same bytes. */
  of(request: ConnectRequest, sessionPresent: boolean): Uint8Array {
    if (!isOrdinary(request)) return encodeAcceptance(request, this.#options, sessionPresent)
    const kind = sessionPresent ? request.version : -request.version
    let connack = this.#ordinary.get(kind)
    if (connack === undefined) {
      connack = encodeAcceptance(request, this.#options, sessionPresent)
      this.#ordinary.set(kind, connack)
    }
    return connack
  }
}

/** Whether there is nothing in the answer that concerns this client alone. */
function isOrdinary(request: ConnectRequest): boolean {
  if (request.version < 5) return true
  const isOverruled = request.isKeepAliveOverruled || request.isExpiryOverruled
  const isToldMore = request.wantsResponseInformation || request.authentication !== undefined
  return !isOverruled && !isToldMore && !request.isClientIdAssigned
}

function encodeAcceptance(
  request: ConnectRequest,
  options: MqttOptions,
  sessionPresent: boolean,
): Uint8Array {
  const { version, clientId, authentication } = request
  return encodeConnack(version, reason.success, sessionPresent, {
    ...(options.retainAvailable ? {} : { retainAvailable: false }),
    ...(options.wildcardAvailable ? {} : { wildcardSubscriptionAvailable: false }),
    ...(options.sharedAvailable ? {} : { sharedSubscriptionAvailable: false }),
    ...(options.topicAliasMax > 0 ? { topicAliasMaximum: options.topicAliasMax } : {}),
    ...(request.wantsResponseInformation && options.responseTopicPrefix !== ''
      ? { responseInformation: `${options.responseTopicPrefix}${clientId}/` }
      : {}),
    ...(authentication === undefined ? {} : { authenticationMethod: authentication.method }),
    ...(authentication?.data === undefined ? {} : { authenticationData: Buffer.from(authentication.data) }),
    receiveMaximum: options.receiveMax,
    maximumPacketSize: options.packetBytesMax,
    ...(request.isClientIdAssigned ? { assignedClientIdentifier: clientId } : {}),
    ...(request.isKeepAliveOverruled ? { serverKeepAlive: request.keepAliveSeconds } : {}),
    ...(request.isExpiryOverruled ? { sessionExpiryInterval: request.expiryIntervalSeconds } : {}),
  })
}

const EXPLANATIONS: Readonly<Record<ClaimRefusal, string>> = {
  suspended: 'the node is suspended',
  unavailable: 'the coordination store does not answer',
  'owner-unreachable': 'the node that has the session cannot be reached',
  'owner-lost': 'the node that has the session is down; it is waited for',
  contended: 'the session is being taken over by others',
  quota: 'the cluster takes no new persistent sessions',
}

/** CONNACK of a CONNECT that has not, in words if the client takes a packet of that size [MQTT-3.2.2-19]. */
export function refusalOf(
  { version, packetBytesMax }: ConnectRequest,
  refusal: ClaimRefusal,
): { readonly connack: Uint8Array; readonly detail: string } {
  const isQuota = refusal === 'quota' && version === 5
  const code = isQuota ? reason.quotaExceeded : reason.serverUnavailable
  const detail = EXPLANATIONS[refusal]
  const withWords = encodeConnack(version, code, false, { reasonString: detail })
  const fits = withWords.length <= packetBytesMax
  return { connack: fits ? withWords : encodeConnack(version, code, false, {}), detail }
}
