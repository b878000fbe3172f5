/**
 * Encodes PUBLISH once per variant and hands the same bytes to every subscriber of that variant.
 *
 * A publication is delivered to all its subscribers in a row, so remembering the variants of the last one is enough.
 * What differs from one delivery to the next within a variant is the packet identifier alone: the caller patches its
 * two bytes into its own copy. Invariant: the bytes handed out are valid until the next publication is encoded.
 */
import type { Publication } from '../../core/publication.ts'
import type { QoS } from '../../core/qos.ts'
import { packetType, type ProtocolVersion } from './packet-types.ts'
import { property } from './properties.ts'

export interface EncodedPublish {
  readonly bytes: Uint8Array
  /** Where the packet identifier stands; -1 at QoS 0. */
  readonly packetIdOffset: number
}

/** What only one subscriber's copy has; v5 only. */
export interface PublishExtras {
  readonly subscriptionIdentifiers: readonly number[]
  /** 0 = none. */
  readonly topicAlias: number
  /** The alias is known to the client, so the topic itself stays empty. */
  readonly omitsTopic: boolean
}

const NO_EXTRAS: PublishExtras = { subscriptionIdentifiers: [], topicAlias: 0, omitsTopic: false }
const VARIANTS = 12 // (v3.x | v5) × QoS × retain

export class PublishEncoder {
  #publication: Publication | undefined = undefined
  readonly #variants: (EncodedPublish | undefined)[] = new Array<undefined>(VARIANTS).fill(undefined)

  /** `nowMs`: wall clock, for the remaining message expiry interval [MQTT-3.3.2-6]. */
  encode(
    publication: Publication,
    version: ProtocolVersion,
    qos: QoS,
    retain: boolean,
    nowMs: number,
  ): EncodedPublish {
    if (publication !== this.#publication) {
      this.#publication = publication
      this.#variants.fill(undefined)
    }
    const variant = (version === 5 ? 6 : 0) + qos * 2 + (retain ? 1 : 0)
    return (this.#variants[variant] ??= encodePublish(publication, version, qos, retain, nowMs, NO_EXTRAS))
  }

  /** For one v5 subscriber alone. */
  encodeWith(
    extras: PublishExtras,
    publication: Publication,
    qos: QoS,
    retain: boolean,
    nowMs: number,
  ): EncodedPublish {
    return encodePublish(publication, 5, qos, retain, nowMs, extras)
  }
}

function varintBytes(value: number): number {
  return value < 128 ? 1 : value < 16_384 ? 2 : value < 2_097_152 ? 3 : 4
}

function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value
  let offset = at
  while (rest >= 128) {
    bytes[offset++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[offset++] = rest
  return offset
}

/** A whole PUBLISH packet; its packet identifier is left 0. */
function encodePublish(
  publication: Publication,
  version: ProtocolVersion,
  qos: QoS,
  retain: boolean,
  nowMs: number,
  extras: PublishExtras,
): EncodedPublish {
  const { payload } = publication
  const topic = extras.omitsTopic ? '' : publication.topic
  const topicBytes = Buffer.byteLength(topic)
  const propertyBytes = version === 5 ? propertiesLength(publication, extras) : 0
  const propertyBlock = version === 5 ? varintBytes(propertyBytes) + propertyBytes : 0
  const remaining = 2 + topicBytes + (qos > 0 ? 2 : 0) + propertyBlock + payload.length
  const bytes = Buffer.allocUnsafe(1 + varintBytes(remaining) + remaining)
  bytes[0] = (packetType.publish << 4) | (qos << 1) | (retain ? 1 : 0)
  let at = writeVarint(bytes, 1, remaining)
  bytes[at++] = topicBytes >> 8
  bytes[at++] = topicBytes & 0xff
  at += bytes.write(topic, at)
  let packetIdOffset = -1
  if (qos > 0) {
    packetIdOffset = at
    bytes[at++] = 0
    bytes[at++] = 0
  }
  if (version === 5) {
    at = writeVarint(bytes, at, propertyBytes)
    at = writeProperties(bytes, at, publication, extras, nowMs)
  }
  bytes.set(payload, at)
  return { bytes, packetIdOffset }
}

function propertiesLength({ properties, expiresAtMs }: Publication, extras: PublishExtras): number {
  let length = properties === undefined ? 0 : properties.length
  if (expiresAtMs !== undefined) length += 5
  if (extras.topicAlias > 0) length += 3
  for (const identifier of extras.subscriptionIdentifiers) length += 1 + varintBytes(identifier)
  return length
}

function writeProperties(
  bytes: Buffer,
  start: number,
  { properties, expiresAtMs }: Publication,
  { topicAlias, subscriptionIdentifiers }: PublishExtras,
  nowMs: number,
): number {
  let at = start
  if (expiresAtMs !== undefined) {
    bytes[at++] = property.messageExpiryInterval
    at = bytes.writeUInt32BE(Math.max(0, Math.ceil((expiresAtMs - nowMs) / 1000)), at)
  }
  if (topicAlias > 0) {
    bytes[at++] = property.topicAlias
    at = bytes.writeUInt16BE(topicAlias, at)
  }
  for (const identifier of subscriptionIdentifiers) {
    bytes[at++] = property.subscriptionIdentifier
    at = writeVarint(bytes, at, identifier)
  }
  if (properties !== undefined) {
    bytes.set(properties, at)
    at += properties.length
  }
  return at
}
