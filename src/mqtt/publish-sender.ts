/**
 * Writes PUBLISH and PUBREL packets for one connection into its output: the client's version, packet size limit, topic
 * aliases, and how much may wait for it.
 *
 * It decides nothing about sessions. Invariant: a topic alias stands for one topic for the life of the connection.
 */
import { limits } from '../core/limits.ts'
import type { LocalMatch } from '../core/ports/routing.ts'
import type { PlainPacket, Publication } from '../core/publication.ts'
import type { QoS } from '../core/qos.ts'
import { packetIdOf, type QueuedMessage } from './delivery-queue.ts'
import type { MqttServices } from './mqtt-services.ts'
import type { ProtocolVersion } from './wire/packet-types.ts'
import type { EncodedPublish } from './wire/publish-encoder.ts'
import type { SessionClient } from './session-client.ts'

/** What was agreed with the client about PUBLISH packets to it. */
export interface SendingTerms {
  readonly version: ProtocolVersion
  /** QoS ≥ 1 messages in flight. */
  readonly inflightMax: number
  /** Largest packet the client takes. */
  readonly packetBytesMax: number
  /** Highest topic alias the client takes; 0 = none. */
  readonly topicAliasMax: number
}

/** Where the packets go. */
export interface PacketOutput {
  /** Where the client connects from, for displays. */
  readonly remote: string
  /** Makes room for `byteCount` at `outputLength` and returns the buffer. */
  reserve(byteCount: number): Buffer
  readonly outputLength: number
  /** Appends bytes that do not change, [start, end) of `source`, copied only if need be. */
  appendRun(source: Uint8Array, start: number, end: number): void
  /** Bytes that have not reached the operating system. */
  readonly pendingBytes: number
  /** What was reserved is complete; `isGuarded`: a suspended node may not send it. */
  written(isGuarded: boolean): void
  /** PUBREL, once the journal has everything up to now. */
  sendRelease(packetId: number, reasonCode: number): void
  /** Pumps the session after the journal's next commit. */
  awaitStore(): void
  takeOver(detail: string): void
  loseWill(detail: string): void
}

export class PublishSender implements SessionClient {
  readonly #terms: SendingTerms
  readonly #output: PacketOutput
  readonly #services: Pick<MqttServices, 'clock' | 'encoder' | 'ownership' | 'stats'>
  /** As of the first packet of the output at hand; asking the stream for each would cost more than sending. */
  #pendingBytes = 0
  /** Topic → alias, in the order first sent. */
  #aliases: Map<string, number> | undefined

  constructor(
    terms: SendingTerms,
    output: PacketOutput,
    services: Pick<MqttServices, 'clock' | 'encoder' | 'ownership' | 'stats'>,
  ) {
    this.#terms = terms
    this.#output = output
    this.#services = services
  }

  get remote(): string {
    return this.#output.remote
  }

  get inflightMax(): number {
    return this.#terms.inflightMax
  }

  #isCongested(): boolean {
    const { outputLength } = this.#output
    if (outputLength === 0) this.#pendingBytes = this.#output.pendingBytes
    return outputLength + this.#pendingBytes > limits.clientOutputBytesMax
  }

  canSendAcknowledged(): boolean {
    return !this.#isCongested() && this.#services.ownership.mayAcknowledge()
  }

  sendUnacknowledged(publication: Publication, retain: boolean, match: LocalMatch): boolean {
    if (this.#isCongested()) {
      this.#services.stats.droppedSlowConsumer++
      return false
    }
    const { packet } = publication
    if (packet !== undefined && this.#canSendAsIs(packet, match)) {
      this.#output.appendRun(packet.bytes, packet.start, packet.end)
      return true
    }
    const encoded = this.#encode(publication, 0, retain, match.subscriptionIdentifiers)
    if (encoded === undefined) {
      this.#services.stats.droppedTooLarge++
      return false
    }
    const { bytes } = encoded
    const at = this.#output.outputLength
    this.#output.reserve(bytes.length).set(bytes, at)
    this.#output.written(false)
    return true
  }

  sendAcknowledged(message: QueuedMessage, publication: Publication): boolean {
    const { position, qos, retain, duplicate, subscriptionIdentifiers } = message
    const encoded = this.#encode(publication, qos, retain, subscriptionIdentifiers)
    if (encoded === undefined) return false
    const { bytes, packetIdOffset } = encoded
    const at = this.#output.outputLength
    const buffer = this.#output.reserve(bytes.length)
    buffer.set(bytes, at)
    buffer.writeUInt16BE(packetIdOf(position), at + packetIdOffset)
    if (duplicate) buffer[at] = (buffer[at] as number) | 8
    this.#output.written(true)
    return true
  }

  sendRelease(packetId: number): void {
    this.#output.sendRelease(packetId, 0)
  }

  awaitStore(): void {
    this.#output.awaitStore()
  }

  #canSendAsIs({ start, end, isVersion5 }: PlainPacket, { subscriptionIdentifiers }: LocalMatch): boolean {
    const { version, topicAliasMax, packetBytesMax } = this.#terms
    if (isVersion5 !== (version === 5) || end - start > packetBytesMax) return false
    return topicAliasMax === 0 && subscriptionIdentifiers.length === 0
  }

  takeOver(detail: string): void {
    this.#output.takeOver(detail)
  }

  loseWill(detail: string): void {
    this.#output.loseWill(detail)
  }

  /** Undefined when the client does not take packets of that size. */
  #encode(
    publication: Publication,
    qos: QoS,
    retain: boolean,
    subscriptionIdentifiers: readonly number[],
  ): EncodedPublish | undefined {
    const { version, topicAliasMax, packetBytesMax } = this.#terms
    const { encoder, clock } = this.#services
    const nowMs = publication.expiresAtMs === undefined ? 0 : clock.wallNow()
    if (version < 5 || (subscriptionIdentifiers.length === 0 && topicAliasMax === 0)) {
      const encoded = encoder.encode(publication, version, qos, retain, nowMs)
      return encoded.bytes.length > packetBytesMax ? undefined : encoded
    }
    const { topic } = publication
    const known = this.#aliases?.get(topic)
    const topicAlias = known ?? this.#nextAlias()
    const extras = { subscriptionIdentifiers, topicAlias, omitsTopic: known !== undefined }
    const encoded = encoder.encodeWith(extras, publication, qos, retain, nowMs)
    if (encoded.bytes.length > packetBytesMax) return undefined
    if (known === undefined && topicAlias > 0)
      this.#aliases = (this.#aliases ?? new Map<string, number>()).set(topic, topicAlias)
    return encoded
  }

  /** The first topics sent get the aliases there are; 0 when all are given. */
  #nextAlias(): number {
    const given = this.#aliases?.size ?? 0
    return given < this.#terms.topicAliasMax ? given + 1 : 0
  }
}
