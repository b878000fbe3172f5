/**
 * Decodes PUBLISH (MQTT 5 section 3.3, 3.1.1 section 3.3) without allocating more than the topic string.
 *
 * One decoder serves all connections of a node in turn: its fields hold the last packet and are valid until the next
 * `decode`. It checks what can be seen in the packet alone; what the connection allows is the handler's business.
 */
import type { QoS } from '../../core/qos.ts'
import type { TopicFault } from '../../core/topic.ts'
import { reason } from '../reason-codes.ts'
import { packetType, type PacketFault, type ProtocolVersion } from './packet-types.ts'
import { prefixedEnd, property, readVarint, walkProperties } from './properties.ts'
import { TopicTable } from './topic-table.ts'

function malformed(detail: string): PacketFault {
  return { reasonCode: reason.malformedPacket, detail }
}

const EMPTY = new Uint8Array(0)

export class PublishDecoder {
  /** Empty when the packet carries only a topic alias. */
  topic = ''
  /** What is wrong with it as a topic name. */
  topicFault: TopicFault | undefined = undefined
  qos: QoS = 0
  duplicate = false
  retain = false
  /** 0 at QoS 0. */
  packetId = 0
  bytes: Uint8Array = EMPTY
  /** The payload lies in [`payloadStart`, `payloadEnd`) of `bytes`. */
  payloadStart = 0
  payloadEnd = 0
  /** QoS 0, no flags, no properties: the packet can be sent on as it is. */
  isPlain = false
  /** The properties that travel with the message, encoded; a view into the packet or a copy. */
  properties: Uint8Array | undefined = undefined
  messageExpirySeconds: number | undefined = undefined
  /** Undefined when absent; 0 is possible here. */
  topicAlias: number | undefined = undefined
  /** The Payload Format Indicator says that the payload is UTF-8. */
  isUtf8Payload = false
  /** Bytes of the properties that do not travel. */
  #localPropertyBytes = 0
  readonly #topics: TopicTable

  constructor(topicLevelsMax: number) {
    this.#topics = new TopicTable(topicLevelsMax)
  }

  /** A view of the payload. */
  get payload(): Uint8Array {
    return this.bytes.subarray(this.payloadStart, this.payloadEnd)
  }

  decode(
    bytes: Uint8Array,
    start: number,
    bodyStart: number,
    end: number,
    version: ProtocolVersion,
  ): PacketFault | undefined {
    const first = bytes[start] as number
    const qos = (first >> 1) & 3
    if (qos === 3) return malformed('QoS 3') // [MQTT-3.3.1-4]
    this.qos = qos as QoS
    this.duplicate = (first & 8) !== 0
    this.retain = (first & 1) !== 0
    if (qos === 0 && this.duplicate) return malformed('DUP at QoS 0') // [MQTT-3.3.1-2]
    const topicEnd = prefixedEnd(bytes, bodyStart, end)
    if (topicEnd === -1) return malformed('topic is cut off')
    const known = this.#topics.get(bytes, bodyStart + 2, topicEnd)
    if (known === undefined) return malformed('topic is not UTF-8') // [MQTT-3.3.2-1]
    this.topic = known.topic
    this.topicFault = known.fault
    let at = topicEnd
    this.packetId = 0
    if (qos > 0) {
      if (at + 2 > end) return malformed('packet identifier is missing')
      this.packetId = ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
      if (this.packetId === 0) return malformed('packet identifier 0') // [MQTT-2.2.1-3]
      at += 2
    }
    this.properties = undefined
    this.messageExpirySeconds = undefined
    this.topicAlias = undefined
    this.isUtf8Payload = false
    this.isPlain = (first & 0x0f) === 0
    if (version === 5) {
      if (bytes[at] === 0 && at < end) at++
      else {
        this.isPlain = false
        const length = readVarint(bytes, at, end)
        if (length === undefined || length[1] + length[0] > end) return malformed('property length')
        const fault = this.#decodeProperties(bytes, length[1], length[1] + length[0])
        if (fault !== undefined) return fault
        at = length[1] + length[0]
      }
    }
    this.bytes = bytes
    this.payloadStart = at
    this.payloadEnd = end
    return undefined
  }

  #decodeProperties(bytes: Uint8Array, start: number, end: number): PacketFault | undefined {
    this.#localPropertyBytes = 0
    const fault = walkProperties(bytes, start, end, packetType.publish, this.#visit)
    if (fault !== undefined) return fault
    const travelling = end - start - this.#localPropertyBytes
    if (travelling === 0) return undefined
    this.properties =
      this.#localPropertyBytes === 0
        ? bytes.subarray(start, end)
        : travellingProperties(bytes, start, end, travelling)
    return undefined
  }

  readonly #visit = (
    id: number,
    bytes: Uint8Array,
    start: number,
    valueStart: number,
    valueEnd: number,
  ): void => {
    if (id === property.messageExpiryInterval) {
      this.messageExpirySeconds = new DataView(bytes.buffer, bytes.byteOffset).getUint32(valueStart)
    } else if (id === property.topicAlias) {
      this.topicAlias = ((bytes[valueStart] as number) << 8) | (bytes[valueStart + 1] as number)
    } else {
      if (id === property.payloadFormatIndicator) this.isUtf8Payload = bytes[valueStart] === 1
      return
    }
    this.#localPropertyBytes += valueEnd - start
  }
}

/** Copies validated PUBLISH properties without those that stay on this hop. */
function travellingProperties(bytes: Uint8Array, start: number, end: number, byteCount: number): Uint8Array {
  const kept = new Uint8Array(byteCount)
  let at = 0
  walkProperties(bytes, start, end, packetType.publish, (id, all, propertyStart, _valueStart, valueEnd) => {
    if (id === property.messageExpiryInterval || id === property.topicAlias) return
    kept.set(all.subarray(propertyStart, valueEnd), at)
    at += valueEnd - propertyStart
  })
  return kept
}
