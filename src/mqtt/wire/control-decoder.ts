/**
 * Decodes the rarer packets a client sends: CONNECT, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT, AUTH.
 *
 * mqtt-packet decodes, but it replaces bad UTF-8, believes lengths and keeps duplicate properties; so every packet
 * passes a strict walk over its bytes first. Invariant: what is returned was complete, well-formed, and nothing was left
 * over at its end.
 */
import { parser } from 'mqtt-packet'
import type {
  IAuthPacket,
  IConnectPacket,
  IDisconnectPacket,
  ISubscribePacket,
  IUnsubscribePacket,
  Packet as MqttPacket,
} from 'mqtt-packet'
import { reason } from '../reason-codes.ts'
import { packetType, type PacketFault, type ProtocolVersion } from './packet-types.ts'
import {
  prefixedEnd,
  property,
  readVarint,
  stringEnd,
  walkProperties,
  WILL_PROPERTIES,
} from './properties.ts'
import { asBuffer } from './utf8.ts'

export type ControlPacket =
  IAuthPacket | IConnectPacket | ISubscribePacket | IUnsubscribePacket | IDisconnectPacket

export type Decoded =
  | {
      readonly packet: ControlPacket
      /** Of a v5 CONNECT: the properties that travel with the will, encoded, in their order. */
      readonly willProperties: Uint8Array | undefined
    }
  | { readonly fault: PacketFault }

function malformed(detail: string): PacketFault {
  return { reasonCode: reason.malformedPacket, detail }
}

/** Decodes the packet in [`start`, `end`) of `bytes`. `version` is ignored for CONNECT, which brings its own. */
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
  const packet = decoded as ControlPacket
  const hasWillProperties =
    packet.cmd === 'connect' && packet.protocolVersion === 5 && packet.will !== undefined
  return {
    packet,
    willProperties: hasWillProperties ? travellingWillProperties(bytes, bodyStart, end) : undefined,
  }
}

/** mqtt-packet keeps user properties by name and so loses their order [MQTT-3.1.3-10]: they are cut out of the bytes. */
function travellingWillProperties(bytes: Uint8Array, bodyStart: number, end: number): Uint8Array | undefined {
  const behindName = prefixedEnd(bytes, bodyStart, end)
  const behindProperties = blockEnd(bytes, behindName + 4, end)
  const blockStart = prefixedEnd(bytes, behindProperties, end) // behind the client identifier
  const length = readVarint(bytes, blockStart, end)
  const kept: Uint8Array[] = []
  walkProperties(
    bytes,
    length?.[1] ?? end,
    blockEnd(bytes, blockStart, end),
    WILL_PROPERTIES,
    (id, all, start, _at, valueEnd) => {
      if (id === property.willDelayInterval || id === property.messageExpiryInterval) return
      kept.push(all.subarray(start, valueEnd))
    },
  )
  return kept.length === 0 ? undefined : Buffer.concat(kept)
}

/** Behind the property block at `at`, which has been checked. */
function blockEnd(bytes: Uint8Array, at: number, end: number): number {
  const length = readVarint(bytes, at, end)
  return length === undefined ? end : length[1] + length[0]
}

function check(
  type: number,
  bytes: Uint8Array,
  at: number,
  end: number,
  version: ProtocolVersion,
): PacketFault | undefined {
  switch (type) {
    case packetType.connect:
      return checkConnect(bytes, at, end)
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

const USERNAME = 0x80
const PASSWORD = 0x40
const WILL_RETAIN = 0x20
const WILL_QOS = 0x18
const WILL = 0x04

function checkConnect(bytes: Uint8Array, bodyStart: number, end: number): PacketFault | undefined {
  let at = stringEnd(bytes, bodyStart, end)
  if (at === -1 || at + 4 > end) return malformed('CONNECT is cut off')
  const name = asBuffer(bytes).toString('latin1', bodyStart + 2, at)
  const level = bytes[at] as number
  const known = (name === 'MQTT' && (level === 4 || level === 5)) || (name === 'MQIsdp' && level === 3)
  if (!known) {
    // [MQTT-3.1.2-1] [MQTT-3.1.2-2]
    return { reasonCode: reason.unsupportedProtocolVersion, detail: 'protocol is not MQTT 3.1, 3.1.1 or 5.0' }
  }
  const flags = bytes[at + 1] as number
  if ((flags & 1) !== 0) return malformed('reserved CONNECT flag is set') // [MQTT-3.1.2-3]
  if ((flags & WILL) === 0 && (flags & (WILL_QOS | WILL_RETAIN)) !== 0)
    return malformed('will flags without a will')
  if ((flags & WILL_QOS) === WILL_QOS) return malformed('will QoS 3') // [MQTT-3.1.2-12]
  if (level < 5 && (flags & PASSWORD) !== 0 && (flags & USERNAME) === 0) {
    return malformed('password without username') // [MQTT-3.1.2-22] of 3.1.1
  }
  at += 4 // level, flags, keep alive
  if (level === 5) {
    const behind = checkProperties(bytes, at, end, packetType.connect)
    if (typeof behind !== 'number') return behind
    at = behind
  }
  at = stringEnd(bytes, at, end)
  if (at === -1) return malformed('client identifier') // [MQTT-3.1.3-4]
  if ((flags & WILL) !== 0) {
    if (level === 5) {
      const behind = checkProperties(bytes, at, end, WILL_PROPERTIES)
      if (typeof behind !== 'number') return behind
      at = behind
    }
    at = stringEnd(bytes, at, end)
    if (at === -1) return malformed('will topic') // [MQTT-3.1.3-11]
    at = prefixedEnd(bytes, at, end)
    if (at === -1) return malformed('will payload')
  }
  if ((flags & USERNAME) !== 0) {
    at = stringEnd(bytes, at, end)
    if (at === -1) return malformed('user name') // [MQTT-3.1.3-12]
  }
  if ((flags & PASSWORD) !== 0) {
    at = prefixedEnd(bytes, at, end)
    if (at === -1) return malformed('password')
  }
  return at === end ? undefined : malformed('bytes behind the end of CONNECT')
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
