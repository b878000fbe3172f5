/**
 * MQTT 5 properties (section 2.2.2.2) as bytes: which exist, what they look like, where they may stand.
 *
 * One table-driven walk validates the properties of any packet; decoding the values of the rarer packets is left to
 * mqtt-packet, which does not check them. Invariant: after a walk without fault every length inside lies within the
 * packet, every string is valid UTF-8, and no single property stands twice.
 */
import { limits } from '../../core/limits.ts'
import { reason } from '../reason-codes.ts'
import { packetType, type PacketFault } from './packet-types.ts'
import { isMqttString } from './utf8.ts'

export const property = {
  payloadFormatIndicator: 0x01,
  messageExpiryInterval: 0x02,
  contentType: 0x03,
  responseTopic: 0x08,
  correlationData: 0x09,
  subscriptionIdentifier: 0x0b,
  sessionExpiryInterval: 0x11,
  authenticationMethod: 0x15,
  authenticationData: 0x16,
  requestProblemInformation: 0x17,
  willDelayInterval: 0x18,
  requestResponseInformation: 0x19,
  reasonString: 0x1f,
  receiveMaximum: 0x21,
  topicAliasMaximum: 0x22,
  topicAlias: 0x23,
  userProperty: 0x26,
  maximumPacketSize: 0x27,
} as const

/** In place of a packet type: the properties of a will. */
export const WILL_PROPERTIES = 0

type ValueType = 'flag' | 'uint16' | 'uint32' | 'varint' | 'string' | 'binary' | 'pair'

interface PropertyRule {
  readonly type: ValueType
  /** Bit n set: allowed in packets of type n (bit 0: will). */
  readonly packets: number
  /** The value 0 is a protocol error. */
  readonly positive: boolean
}

function rule(type: ValueType, packets: readonly number[], positive = false): PropertyRule {
  return { type, packets: packets.reduce((mask, packet) => mask | (1 << packet), 0), positive }
}

const { connect, publish, puback, pubrec, pubrel, pubcomp, subscribe, unsubscribe, disconnect, auth } =
  packetType

/** What a client may send, by property identifier (MQTT 5 table 2-4). */
const rules: readonly (PropertyRule | undefined)[] = (() => {
  const table: (PropertyRule | undefined)[] = new Array<undefined>(0x2b).fill(undefined)
  table[property.payloadFormatIndicator] = rule('flag', [publish, WILL_PROPERTIES])
  table[property.messageExpiryInterval] = rule('uint32', [publish, WILL_PROPERTIES])
  table[property.contentType] = rule('string', [publish, WILL_PROPERTIES])
  table[property.responseTopic] = rule('string', [publish, WILL_PROPERTIES])
  table[property.correlationData] = rule('binary', [publish, WILL_PROPERTIES])
  table[property.subscriptionIdentifier] = rule('varint', [subscribe], true)
  table[property.sessionExpiryInterval] = rule('uint32', [connect, disconnect])
  table[property.authenticationMethod] = rule('string', [connect, auth])
  table[property.authenticationData] = rule('binary', [connect, auth])
  table[property.requestProblemInformation] = rule('flag', [connect])
  table[property.willDelayInterval] = rule('uint32', [WILL_PROPERTIES])
  table[property.requestResponseInformation] = rule('flag', [connect])
  table[property.reasonString] = rule('string', [puback, pubrec, pubrel, pubcomp, disconnect, auth])
  table[property.receiveMaximum] = rule('uint16', [connect], true)
  table[property.topicAliasMaximum] = rule('uint16', [connect])
  table[property.topicAlias] = rule('uint16', [publish])
  table[property.userProperty] = rule('pair', [
    connect,
    publish,
    WILL_PROPERTIES,
    puback,
    pubrec,
    pubrel,
    pubcomp,
    subscribe,
    unsubscribe,
    disconnect,
    auth,
  ])
  table[property.maximumPacketSize] = rule('uint32', [connect], true)
  return table
})()

/** Called for every property with where it begins (its identifier), and where its value lies. */
export type PropertyVisitor = (
  id: number,
  bytes: Uint8Array,
  start: number,
  valueStart: number,
  valueEnd: number,
) => void

function malformed(detail: string): PacketFault {
  return { reasonCode: reason.malformedPacket, detail }
}

function protocolError(detail: string): PacketFault {
  return { reasonCode: reason.protocolError, detail }
}

/** Reads the variable byte integer at `at`: [value, offset behind it], or undefined when it is malformed or cut off. */
export function readVarint(
  bytes: Uint8Array,
  at: number,
  end: number,
): readonly [number, number] | undefined {
  let value = 0
  let scale = 1
  for (let i = at; i < Math.min(end, at + 4); i++) {
    const byte = bytes[i] as number
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return [value, i + 1]
    scale *= 128
  }
  return undefined
}

/**
 * Validates the properties in [`start`, `end`), their length prefix not included, of a packet of type `packet`.
 */
export function walkProperties(
  bytes: Uint8Array,
  start: number,
  end: number,
  packet: number,
  visit?: PropertyVisitor,
): PacketFault | undefined {
  let at = start
  let seenLow = 0 // identifiers below 32
  let seenHigh = 0 // identifiers from 32
  let userProperties = 0
  while (at < end) {
    const id = bytes[at] as number
    const found = rules[id]
    if (found === undefined) return malformed(`unknown property 0x${id.toString(16)}`)
    if ((found.packets & (1 << packet)) === 0)
      return protocolError(`property 0x${id.toString(16)} may not stand here`)
    if (id === property.userProperty) {
      if (++userProperties > limits.userPropertiesMax) return protocolError('too many user properties')
    } else {
      const bit = 1 << (id & 31)
      const seen = id < 32 ? seenLow : seenHigh
      if ((seen & bit) !== 0) return protocolError(`property 0x${id.toString(16)} stands twice`)
      if (id < 32) seenLow |= bit
      else seenHigh |= bit
    }
    const valueEnd = valueEndOf(bytes, at + 1, end, found.type)
    if (valueEnd === -1) return malformed(`property 0x${id.toString(16)} is malformed`)
    if (found.positive && isZero(bytes, at + 1, valueEnd)) {
      return protocolError(`property 0x${id.toString(16)} may not be 0`)
    }
    if (found.type === 'flag' && (bytes[at + 1] as number) > 1) {
      return protocolError(`property 0x${id.toString(16)} must be 0 or 1`)
    }
    if (id === property.responseTopic && hasWildcardByte(bytes, at + 3, valueEnd)) {
      return protocolError('response topic with a wildcard') // [MQTT-3.3.2-14]
    }
    visit?.(id, bytes, at, at + 1, valueEnd)
    at = valueEnd
  }
  return undefined
}

function hasWildcardByte(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] === 0x2b || bytes[i] === 0x23) return true
  return false
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] !== 0) return false
  return true
}

/** Offset behind the value at `at`, -1 when it is malformed or reaches beyond `end`. */
function valueEndOf(bytes: Uint8Array, at: number, end: number, type: ValueType): number {
  switch (type) {
    case 'flag':
      return at + 1 <= end ? at + 1 : -1
    case 'uint16':
      return at + 2 <= end ? at + 2 : -1
    case 'uint32':
      return at + 4 <= end ? at + 4 : -1
    case 'varint':
      return readVarint(bytes, at, end)?.[1] ?? -1
    case 'binary':
      return prefixedEnd(bytes, at, end)
    case 'string':
      return stringEnd(bytes, at, end)
    case 'pair': {
      const nameEnd = stringEnd(bytes, at, end)
      return nameEnd === -1 ? -1 : stringEnd(bytes, nameEnd, end)
    }
  }
}

/** Offset behind the two-byte length at `at` and what it announces, -1 when that reaches beyond `end`. */
export function prefixedEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at + 2 > end) return -1
  const valueEnd = at + 2 + (((bytes[at] as number) << 8) | (bytes[at + 1] as number))
  return valueEnd <= end ? valueEnd : -1
}

/** As `prefixedEnd`, and the content must be an MQTT UTF-8 string. */
export function stringEnd(bytes: Uint8Array, at: number, end: number): number {
  const valueEnd = prefixedEnd(bytes, at, end)
  return valueEnd !== -1 && isMqttString(bytes, at + 2, valueEnd) ? valueEnd : -1
}
