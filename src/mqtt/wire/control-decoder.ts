/**
 * Decodes the rarer packets a client sends: SUBSCRIBE, UNSUBSCRIBE, DISCONNECT, AUTH.
 *
 * mqtt-packet decodes, but it replaces bad UTF-8, believes lengths and keeps duplicate properties; so every packet
 * passes a strict walk over its bytes first. Invariant: what is returned was complete, well-formed, and nothing was left
 * over at its end.
 */
import { parser } from 'mqtt-packet'
import type {
  IAuthPacket,
  IDisconnectPacket,
  ISubscribePacket,
  IUnsubscribePacket,
  Packet as MqttPacket,
} from 'mqtt-packet'
import { reason } from '../reason-codes.ts'
import { packetType, type PacketFault, type ProtocolVersion } from './packet-types.ts'
import { readVarint, stringEnd, walkProperties } from './properties.ts'
import { asBuffer } from './utf8.ts'

export type ControlPacket = IAuthPacket | ISubscribePacket | IUnsubscribePacket | IDisconnectPacket

export type Decoded = { readonly packet: ControlPacket } | { readonly fault: PacketFault }

function malformed(detail: string): PacketFault {
  return { reasonCode: reason.malformedPacket, detail }
}

/** Decodes the packet in [`start`, `end`) of `bytes`. */
export function decodeControl(
  bytes: Uint8Array,
  start: number,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
): Decoded {
  const type = (bytes[start] as number) >> 4
  const fault = check(type, bytes, bodyStart, end, version)
  if (fault !== undefined) return { fault }
  let decoded: MqttPacket | undefined
  let error: string | undefined
  const once = parser({ protocolVersion: version })
  once.on('packet', packet => {
    decoded = packet
  })
  once.on('error', (cause: Error) => {
    error = cause.message
  })
  once.parse(asBuffer(bytes).subarray(start, end))
  if (error !== undefined || decoded === undefined)
    return { fault: malformed(error ?? 'packet is incomplete') }
  return { packet: decoded as ControlPacket }
}

function check(
  type: number,
  bytes: Uint8Array,
  at: number,
  end: number,
  version: ProtocolVersion,
): PacketFault | undefined {
  switch (type) {
    case packetType.subscribe:
      return checkFilters(bytes, at, end, version, packetType.subscribe)
    case packetType.unsubscribe:
      return checkFilters(bytes, at, end, version, packetType.unsubscribe)
    case packetType.disconnect:
      return checkReason(bytes, at, end, version, packetType.disconnect)
    case packetType.auth:
      return checkReason(bytes, at, end, version, packetType.auth)
    default:
      return { reasonCode: reason.protocolError, detail: `a client may not send packet type ${type}` }
  }
}

/** Behind the property block at `at`, or the fault in it. */
function checkProperties(bytes: Uint8Array, at: number, end: number, packet: number): number | PacketFault {
  const length = readVarint(bytes, at, end)
  if (length === undefined || length[1] + length[0] > end) return malformed('property length')
  return walkProperties(bytes, length[1], length[1] + length[0], packet) ?? length[1] + length[0]
}

function checkFilters(
  bytes: Uint8Array,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
  packet: number,
): PacketFault | undefined {
  let at = bodyStart + 2
  if (at > end) return malformed('packet identifier is missing')
  if (bytes[bodyStart] === 0 && bytes[bodyStart + 1] === 0) return malformed('packet identifier 0') // [MQTT-2.2.1-3]
  if (version === 5) {
    const behind = checkProperties(bytes, at, end, packet)
    if (typeof behind !== 'number') return behind
    at = behind
  }
  if (at === end) {
    return { reasonCode: reason.protocolError, detail: 'no topic filter' } // [MQTT-3.8.3-2] [MQTT-3.10.3-2]
  }
  while (at < end) {
    at = stringEnd(bytes, at, end)
    if (at === -1) return malformed('topic filter') // [MQTT-3.8.3-1] [MQTT-3.10.3-1]
    if (packet === packetType.subscribe) at++
    if (at > end) return malformed('subscription options are missing')
  }
  return undefined
}

/** DISCONNECT and AUTH: nothing, or a reason code, or a reason code and properties. */
function checkReason(
  bytes: Uint8Array,
  bodyStart: number,
  end: number,
  version: ProtocolVersion,
  packet: number,
): PacketFault | undefined {
  if (version < 5) {
    if (packet === packetType.auth) return { reasonCode: reason.protocolError, detail: 'AUTH before MQTT 5' }
    return bodyStart === end ? undefined : malformed('DISCONNECT with content')
  }
  if (bodyStart === end || bodyStart + 1 === end) return undefined
  const behind = checkProperties(bytes, bodyStart + 1, end, packet)
  if (typeof behind !== 'number') return behind
  return behind === end ? undefined : malformed('bytes behind the end')
}
