import type { QoS } from './qos.ts'

/** Properties of a PUBLISH that travel with the message to its subscribers (MQTT 5 section 3.3.2.3). */
export interface PublicationProperties {
  readonly payloadFormatIndicator?: boolean
  readonly contentType?: string
  readonly responseTopic?: string
  readonly correlationData?: Uint8Array
  /** In the order received, duplicates kept [MQTT-3.3.2-18]. */
  readonly userProperties?: readonly (readonly [string, string])[]
}

/**
 * One accepted PUBLISH on its way to subscribers, on the node that received it or on one it was forwarded to.
 * Shared by all deliveries; nobody changes it after routing began.
 */
export interface Publication {
  readonly topic: string
  /** Valid for as long as the publication is referenced: never a view into a reused buffer. */
  readonly payload: Uint8Array
  /** As published; a delivery uses the lower of this and the subscription's. */
  readonly qos: QoS
  readonly retain: boolean
  readonly properties: PublicationProperties | undefined
  /** Wall clock, ms since the Unix epoch, after which it is not delivered; undefined = never expires. */
  readonly expiresAtMs: number | undefined
  /** Client that published it, for No Local; empty when it came from another node or the broker itself. */
  readonly publisher: string
}
