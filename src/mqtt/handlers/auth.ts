import type { IAuthPacket } from 'mqtt-packet'
import type { ClientConnection } from '../client-connection.ts'
import { reason } from '../reason-codes.ts'
import { encodeAuth } from '../wire/control-encoder.ts'
import type { SinkAnswer } from '../wire/packet-framer.ts'
import type { PacketFault } from '../wire/packet-types.ts'

/** AUTH: the next step of an authentication, or the beginning of a re-authentication (MQTT 5 section 4.12). */
export function handleAuth(connection: ClientConnection, packet: IAuthPacket): SinkAnswer | PacketFault {
  const { authentication } = connection
  if (authentication === undefined) return protocolError('AUTH without an authentication method in CONNECT') // [MQTT-4.12.0-6]
  const { reasonCode, properties } = packet
  if (properties?.authenticationMethod !== authentication.method.name) {
    return protocolError('AUTH names another authentication method') // [MQTT-4.12.0-5] [MQTT-4.12.1-1]
  }
  const data = properties.authenticationData
  if (authentication.isUnderWay) {
    if (reasonCode !== reason.continueAuthentication) return protocolError('AUTH does not continue') // [MQTT-4.12.0-3]
    return authentication.step(data)
  }
  if (connection.state !== 'connected' || reasonCode !== reason.reAuthenticate) {
    return protocolError('AUTH continues what has not begun')
  }
  const { username, method } = authentication
  return authentication.begin(data, {
    onSuccess: (newUsername, finalData) => {
      if (newUsername === username) connection.send(encodeAuth(reason.success, method.name, finalData))
      else connection.disconnect(reason.notAuthorized, 're-authentication as another user')
    },
    // [MQTT-4.12.1-2]
    onFailure: (code, detail) => {
      connection.services.logger.info('re-authentication failed', {
        clientId: connection.session?.clientId,
        detail,
      })
      connection.disconnect(code, 're-authentication failed')
    },
  })
}

function protocolError(detail: string): PacketFault {
  return { reasonCode: reason.protocolError, detail }
}
