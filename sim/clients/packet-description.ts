import type { Packet } from 'mqtt-packet'
import { unpadded } from './history.ts'

/** A packet in one line, for timelines. */
export function describePacket(packet: Packet): string {
  switch (packet.cmd) {
    case 'publish':
      return `PUBLISH ${packet.messageId ?? '-'} q${packet.qos}${packet.dup ? ' dup' : ''} ${packet.topic} ${unpadded(packet.payload.toString())}`
    case 'connack':
      return `CONNACK ${packet.reasonCode ?? packet.returnCode ?? 0} present=${packet.sessionPresent}`
    case 'disconnect':
      return `DISCONNECT ${packet.reasonCode ?? 0}`
    case 'subscribe':
      return `SUBSCRIBE ${packet.messageId ?? 0} ${packet.subscriptions.map(({ topic }) => topic).join(' ')}`
    case 'suback':
      return `SUBACK ${packet.messageId ?? 0} ${packet.granted.map(Number).join(' ')}`
    case 'unsubscribe':
      return `UNSUBSCRIBE ${packet.messageId ?? 0} ${packet.unsubscriptions.join(' ')}`
    default:
      return `${packet.cmd.toUpperCase()} ${packet.messageId ?? ''}`
  }
}
