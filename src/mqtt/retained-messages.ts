/**
 * The retained messages of this node: kept in memory and in the journal, found by filter, bounded, expired.
 *
 * Who subscribed gets them through `RetainedDelivery`. Invariant: memory and journal hold the same messages once the journal
 * has committed.
 */
import type { RetainedIndex, RetainedJournal } from '../core/ports/retained.ts'
import type { Publication } from '../core/publication.ts'
import type { MqttServices } from './mqtt-services.ts'

type RetainedServices = Pick<MqttServices, 'clock' | 'stats' | 'options'>

export class RetainedMessages {
  readonly #index: RetainedIndex
  readonly #journal: RetainedJournal
  readonly #services: RetainedServices

  constructor(index: RetainedIndex, journal: RetainedJournal, services: RetainedServices) {
    this.#index = index
    this.#journal = journal
    this.#services = services
  }

  get count(): number {
    return this.#index.size
  }

  get byteCount(): number {
    return this.#index.byteCount
  }

  /** Puts a message of the journal back. */
  restore(publication: Publication): void {
    this.#index.set(publication)
  }

  /**
   * A PUBLISH with RETAIN: replaces the topic's message, or removes it when the payload is empty [MQTT-3.3.1-6]. False when a
   * bound forbids to keep it: then the topic has none. The journal's last change must be committed before the publisher is
   * told.
   */
  publish(publication: Publication): boolean {
    const { topic, payload } = publication
    if (payload.length === 0) {
      this.#remove(topic)
      return true
    }
    const { retainedMessagesMax, retainedBytesMax } = this.#services.options
    const isNew = this.#index.get(topic) === undefined
    const isOver =
      (isNew && this.#index.size >= retainedMessagesMax) || this.#index.byteCount >= retainedBytesMax
    if (isOver) {
      // A message that is out of date is worse than none.
      this.#remove(topic)
      this.#services.stats.retainedRefused++
      return false
    }
    const kept = {
      ...publication,
      payload: Buffer.from(payload),
      properties: publication.properties === undefined ? undefined : Buffer.from(publication.properties),
      retain: true,
      publisher: '',
    }
    this.#index.set(kept)
    this.#journal.put(kept)
    return true
  }

  /** A message of the broker itself, which is not journaled. */
  announce(publication: Publication): void {
    this.#index.set(publication)
  }

  /** The messages a filter matches now, without those that have expired. */
  match(filter: string): Publication[] {
    const found: Publication[] = []
    const nowMs = this.#services.clock.wallNow()
    this.#index.match(filter, publication => {
      if (publication.expiresAtMs === undefined || publication.expiresAtMs > nowMs) found.push(publication)
      return true
    })
    return found
  }

  /** Forgets what has expired. */
  sweep(): void {
    const nowMs = this.#services.clock.wallNow()
    const expired: string[] = []
    const collect = ({ topic, expiresAtMs }: Publication): boolean => {
      if (expiresAtMs !== undefined && expiresAtMs <= nowMs) expired.push(topic)
      return true
    }
    this.#index.match('#', collect)
    for (const topic of expired) this.#remove(topic)
  }

  #remove(topic: string): void {
    if (this.#index.delete(topic)) this.#journal.delete(topic)
  }
}
