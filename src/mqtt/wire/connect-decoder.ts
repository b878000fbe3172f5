/**
 * Decodes CONNECT, in one strict walk over its bytes: connections come in storms, and every one begins with it.
 *
 * Invariant: what is returned was complete, well-formed, and nothing was left over at its end; it does not refer to the bytes
 * it was read from.
 */
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
import { asBuffer, decodeUtf8 } from './utf8.ts'

/** What a client asks for. Properties it did not send have the value that the specification gives them then. */
export interface ConnectPacket {
  readonly version: ProtocolVersion
  /** Empty: the server is to assign one. */
  readonly clientId: string
  /** Clean Session of 3.1.1. */
  readonly cleanStart: boolean
  readonly keepAliveSeconds: number
  readonly sessionExpirySeconds: number
  readonly receiveMaximum: number
  /** Infinity: no limit. */
  readonly packetBytesMax: number
  readonly topicAliasMax: number
  readonly wantsResponseInformation: boolean
  readonly authenticationMethod: string | undefined
  readonly authenticationData: Uint8Array | undefined
  readonly will: ConnectWill | undefined
}

export interface ConnectWill {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
  readonly delaySeconds: number
  /** Undefined: it does not expire. */
  readonly messageExpirySeconds: number | undefined
  /** The properties that travel with the message, encoded, in their order [MQTT-3.1.3-10]; undefined for none. */
  readonly properties: Uint8Array | undefined
}

const USERNAME = 0x80
const PASSWORD = 0x40
const WILL_RETAIN = 0x20
const WILL_QOS = 0x18
const WILL = 0x04
const CLEAN_START = 0x02
const RESERVED = 0x01

/** Decodes a packet whose variable header begins at `bodyStart`. */
export function decodeConnect(
  bytes: Uint8Array,
  bodyStart: number,
  end: number,
): { readonly packet: ConnectPacket } | { readonly fault: PacketFault } {
  let at = stringEnd(bytes, bodyStart, end)
  if (at === -1 || at + 4 > end) return malformed('CONNECT is cut off')
  const version = versionOf(bytes, bodyStart, at)
  if (version === undefined) {
    // [MQTT-3.1.2-1] [MQTT-3.1.2-2]
    const detail = 'protocol is not MQTT 3.1, 3.1.1 or 5.0'
    return { fault: { reasonCode: reason.unsupportedProtocolVersion, detail } }
  }
  const flags = bytes[at + 1] as number
  const flagsFault = faultOfFlags(flags, version)
  if (flagsFault !== undefined) return malformed(flagsFault)
  const keepAliveSeconds = uint16(bytes, at + 2)
  at += 4 // level, flags, keep alive
  let properties = NO_PROPERTIES
  if (version === 5) {
    const block = connectProperties(bytes, at, end)
    if ('fault' in block) return block
    at = block.end
    properties = block.properties
  }
  const idStart = at
  at = stringEnd(bytes, at, end)
  if (at === -1) return malformed('client identifier') // [MQTT-3.1.3-4]
  const clientId = decodeUtf8(bytes, idStart + 2, at)
  let will: ConnectWill | undefined
  if ((flags & WILL) !== 0) {
    const decoded = decodeWill(bytes, at, end, flags, version)
    if ('fault' in decoded) return decoded
    at = decoded.end
    will = decoded.will
  }
  if ((flags & USERNAME) !== 0) {
    at = stringEnd(bytes, at, end)
    if (at === -1) return malformed('user name') // [MQTT-3.1.3-12]
  }
  if ((flags & PASSWORD) !== 0) {
    at = prefixedEnd(bytes, at, end)
    if (at === -1) return malformed('password')
  }
  if (at !== end) return malformed('bytes behind the end of CONNECT')
  const cleanStart = (flags & CLEAN_START) !== 0
  return { packet: { version, clientId, cleanStart, keepAliveSeconds, ...properties, will } }
}

function malformed(detail: string): { readonly fault: PacketFault } {
  return { fault: { reasonCode: reason.malformedPacket, detail } }
}

function versionOf(bytes: Uint8Array, bodyStart: number, at: number): ProtocolVersion | undefined {
  const level = bytes[at] as number
  const name = asBuffer(bytes).toString('latin1', bodyStart + 2, at)
  if (name === 'MQTT') return level === 4 || level === 5 ? level : undefined
  return name === 'MQIsdp' && level === 3 ? level : undefined
}

function faultOfFlags(flags: number, version: ProtocolVersion): string | undefined {
  if ((flags & RESERVED) !== 0) return 'reserved CONNECT flag is set' // [MQTT-3.1.2-3]
  if ((flags & WILL) === 0 && (flags & (WILL_QOS | WILL_RETAIN)) !== 0) return 'will flags without a will'
  if ((flags & WILL_QOS) === WILL_QOS) return 'will QoS 3' // [MQTT-3.1.2-12]
  if (version < 5 && (flags & PASSWORD) !== 0 && (flags & USERNAME) === 0) {
    return 'password without username' // [MQTT-3.1.2-22] of 3.1.1
  }
  return undefined
}

type ConnectProperties = Pick<
  ConnectPacket,
  | 'sessionExpirySeconds'
  | 'receiveMaximum'
  | 'packetBytesMax'
  | 'topicAliasMax'
  | 'wantsResponseInformation'
  | 'authenticationMethod'
  | 'authenticationData'
>

const NO_PROPERTIES: ConnectProperties = {
  sessionExpirySeconds: 0,
  receiveMaximum: 65_535,
  packetBytesMax: Infinity,
  topicAliasMax: 0,
  wantsResponseInformation: false,
  authenticationMethod: undefined,
  authenticationData: undefined,
}

/** The property block at `at`, and where it ends. */
function connectProperties(
  bytes: Uint8Array,
  at: number,
  end: number,
): { readonly properties: ConnectProperties; readonly end: number } | { readonly fault: PacketFault } {
  const block = blockAt(bytes, at, end)
  if (block === undefined) return malformed('property length')
  if (block.start === block.end) return { properties: NO_PROPERTIES, end: block.end }
  const properties: { -readonly [K in keyof ConnectProperties]: ConnectProperties[K] } = { ...NO_PROPERTIES }
  const fault = walkProperties(
    bytes,
    block.start,
    block.end,
    packetType.connect,
    (id, _bytes, _start, valueStart, valueEnd) => {
      switch (id) {
        case property.sessionExpiryInterval:
          properties.sessionExpirySeconds = uint32(bytes, valueStart)
          break
        case property.receiveMaximum:
          properties.receiveMaximum = uint16(bytes, valueStart)
          break
        case property.maximumPacketSize:
          properties.packetBytesMax = uint32(bytes, valueStart)
          break
        case property.topicAliasMaximum:
          properties.topicAliasMax = uint16(bytes, valueStart)
          break
        case property.requestResponseInformation:
          properties.wantsResponseInformation = bytes[valueStart] === 1
          break
        case property.authenticationMethod:
          properties.authenticationMethod = decodeUtf8(bytes, valueStart + 2, valueEnd)
          break
        case property.authenticationData:
          properties.authenticationData = copy(bytes, valueStart + 2, valueEnd)
          break
      }
    },
  )
  return fault === undefined ? { properties, end: block.end } : { fault }
}

/** The will at `at`, and where it ends. */
function decodeWill(
  bytes: Uint8Array,
  start: number,
  end: number,
  flags: number,
  version: ProtocolVersion,
): { readonly will: ConnectWill; readonly end: number } | { readonly fault: PacketFault } {
  let at = start
  let delaySeconds = 0
  let messageExpirySeconds: number | undefined
  const travelling: Uint8Array[] = []
  if (version === 5) {
    const block = blockAt(bytes, at, end)
    if (block === undefined) return malformed('property length')
    const fault = walkProperties(
      bytes,
      block.start,
      block.end,
      WILL_PROPERTIES,
      (id, _bytes, propertyStart, valueStart, valueEnd) => {
        if (id === property.willDelayInterval) delaySeconds = uint32(bytes, valueStart)
        else if (id === property.messageExpiryInterval) messageExpirySeconds = uint32(bytes, valueStart)
        else travelling.push(bytes.subarray(propertyStart, valueEnd))
      },
    )
    if (fault !== undefined) return { fault }
    at = block.end
  }
  const topicEnd = stringEnd(bytes, at, end)
  if (topicEnd === -1) return malformed('will topic') // [MQTT-3.1.3-11]
  const payloadEnd = prefixedEnd(bytes, topicEnd, end)
  if (payloadEnd === -1) return malformed('will payload')
  const will = {
    topic: decodeUtf8(bytes, at + 2, topicEnd),
    payload: copy(bytes, topicEnd + 2, payloadEnd),
    qos: ((flags & WILL_QOS) >> 3) as 0 | 1 | 2,
    retain: (flags & WILL_RETAIN) !== 0,
    delaySeconds,
    messageExpirySeconds,
    properties: travelling.length === 0 ? undefined : Buffer.concat(travelling),
  }
  return { will, end: payloadEnd }
}

/** Where the properties lie whose length is at `at`; undefined when they reach beyond `end`. */
function blockAt(
  bytes: Uint8Array,
  at: number,
  end: number,
): { readonly start: number; readonly end: number } | undefined {
  const length = readVarint(bytes, at, end)
  if (length === undefined || length[1] + length[0] > end) return undefined
  return { start: length[1], end: length[1] + length[0] }
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}

function uint32(bytes: Uint8Array, at: number): number {
  return uint16(bytes, at) * 0x1_0000 + uint16(bytes, at + 2)
}

function copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end))
}
