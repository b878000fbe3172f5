import type { Incarnation } from './ids.ts'
import type { QoS } from './qos.ts'

/** A QoS 0 PUBLISH packet that can be sent on as it is: no flags, no properties. Its bytes do not change. */
export interface PlainPacket {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  /** MQTT 5, where an empty property length stands behind the topic. */
  readonly isVersion5: boolean
}

/**
 * Identity of a publication at QoS ≥ 1, or of a will at any QoS, kept through resends, takeover and outboxes (PROTOCOLS
 * section 5): the incarnation of the node that took it from its publisher, and that life's running number, from 1.
 */
export interface MessageId {
  readonly incarnation: Incarnation
  readonly number: number
}

/**
 * The first of a life's numbers for publications that may be published at any time, by other nodes too: wills. Ordinary ones, a
 * million a second, reach it after nine years.
 */
export const RESERVED_FROM = 2 ** 48

export function isReserved(id: MessageId | undefined): id is MessageId {
  return id !== undefined && id.number >= RESERVED_FROM
}

/**
 * Orders the retained messages of one topic over all nodes: the higher time wins, then the higher incarnation. `time` is hybrid
 * (hybrid-clock.ts).
 */
export interface RetainedStamp {
  readonly time: number
  /** Of the node that took the message from its publisher. */
  readonly incarnation: Incarnation
}

/**
 * One accepted PUBLISH on its way to subscribers, on the node that received it or on one it was forwarded to.
 * Shared by all deliveries; nobody changes it after routing began.
 */
export interface Publication {
  readonly topic: string
  /**
   * At QoS ≥ 1 valid for as long as it is referenced. At QoS 0 it, and `properties`, may be a view that is valid only during
   * the call: whoever keeps them copies them.
   */
  readonly payload: Uint8Array
  /** As published; a delivery uses the lower of this and the subscription's. */
  readonly qos: QoS
  readonly retain: boolean
  /**
   * The MQTT 5 properties that travel with the message (payload format, content type, response topic, correlation data,
   * user properties), encoded as on the wire, in the order received [MQTT-3.3.2-18], without their length prefix. Validated
   * at ingress: other code copies them and never looks inside. Undefined when there are none.
   */
  readonly properties: Uint8Array | undefined
  /** Wall clock, ms since the Unix epoch, after which it is not delivered; undefined = never expires. */
  readonly expiresAtMs: number | undefined
  /** Client that published it, for No Local; empty when it came from another node or the broker itself. */
  readonly publisher: string
  /**
   * 32 bits that stand for the publisher on a node that is not told who it is; undefined unless it was sent there for a member of
   * a shared subscription whose strategy goes by publisher.
   */
  readonly publisherKey?: number | undefined
  /** Undefined at QoS 0 and until the ingress gave it one. */
  readonly id?: MessageId | undefined
  /** Of a message that replaces its topic's retained one, once the ingress has stamped it. */
  readonly stamp?: RetainedStamp | undefined
  /** The packet it came in, when subscribers at QoS 0 can be sent the very same. */
  readonly packet?: PlainPacket | undefined
}
