import type { IDisconnectPacket } from 'mqtt-packet'
import type { ClientConnection } from '../client-connection.ts'
import { reason } from '../reason-codes.ts'
import type { PacketFault } from '../wire/packet-types.ts'

/** DISCONNECT: the client leaves; its will is discarded unless it asks for it [MQTT-3.14.4-3]. */
export function handleDisconnect(
  connection: ClientConnection,
  packet: IDisconnectPacket,
): PacketFault | undefined {
  const { session } = connection
  const expiry = packet.properties?.sessionExpiryInterval
  if (expiry !== undefined && session !== undefined) {
    if (session.expiryIntervalSeconds === 0 && expiry > 0) {
      // [MQTT-3.14.2-2]: a session that was to end with its connection cannot be kept now.
      return { reasonCode: reason.protocolError, detail: 'session expiry raised from 0 in DISCONNECT' }
    }
    connection.services.sessions.changeExpiry(session, expiry)
  }
  connection.leave(packet.reasonCode === reason.disconnectWithWill)
  return undefined
}
