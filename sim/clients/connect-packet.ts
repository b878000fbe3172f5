import type { IConnectPacket } from 'mqtt-packet'
import type { ClientProfile } from './client-profile.ts'
import type { WillRecord } from './history.ts'

/** What a v5 client takes at once without acknowledging. */
export const RECEIVE_MAX = 10
/** Longer than the time after which clients give a silent broker up: that decides. */
const KEEP_ALIVE_SECONDS = 30

export function connectPacket(
  { clientId, cleanStart, expirySeconds, version }: ClientProfile,
  will: WillRecord | undefined,
): IConnectPacket {
  const isVersion5 = version === 5
  return {
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: version,
    clientId,
    clean: cleanStart,
    keepalive: KEEP_ALIVE_SECONDS,
    ...(isVersion5 && { properties: { sessionExpiryInterval: expirySeconds, receiveMaximum: RECEIVE_MAX } }),
    ...(will !== undefined && {
      will: {
        topic: will.topic,
        payload: Buffer.from(will.payload),
        qos: 2,
        retain: false,
        ...(isVersion5 && { properties: { willDelayInterval: will.delaySeconds } }),
      },
    }),
  }
}
