/**
 * One client's session: its subscriptions and the messages on their way to it, whether it is connected or not.
 *
 * It decides whether a publication is sent, queued or dropped, and tells the journal when the session outlives its
 * connection. It knows nothing of other nodes, and encodes nothing. Invariant: of a journaled session, what is queued here has been
 * appended to the journal before anybody can be told that it was accepted.
 */
import type { ClientId, FencingToken } from '../core/ids.ts'
import type { LocalDelivery, LocalSubscription } from '../core/ports/routing.ts'
import type { SessionRecord, StoredSession } from '../core/ports/session-journal.ts'
import type { Publication } from '../core/publication.ts'
import type { QoS } from '../core/qos.ts'
import { DeliveryQueue, queuedBytes, type QueuedMessage } from './delivery-queue.ts'
import type { MqttServices } from './mqtt-services.ts'

/** The client's end, while it is connected. */
export interface SessionClient {
  /** QoS ≥ 1 messages the client and the node allow in flight. */
  readonly inflightMax: number
  /** Whether QoS ≥ 1 may be sent now: the output is not congested and the node not suspended. */
  canSendAcknowledged(): boolean
  /** False: dropped, because the client is too slow or its maximum packet size forbids it. */
  sendUnacknowledged(publication: Publication, retain: boolean, subscription: LocalSubscription): boolean
  /** False: larger than the client's maximum packet size [MQTT-3.1.2-24]. */
  sendAcknowledged(message: QueuedMessage): boolean
}

type SessionServices = Pick<MqttServices, 'journal' | 'index' | 'interest' | 'stats' | 'options' | 'clock'>

export class Session implements LocalDelivery {
  readonly clientId: ClientId
  token: FencingToken
  /** False for a session restored from the journal until its ownership is claimed in this life of the process. */
  isClaimed: boolean
  client: SessionClient | undefined
  /** Seconds after the disconnection; 0 = ends with the connection. */
  expiryIntervalSeconds = 0
  disconnectedAtMs: number | undefined
  readonly subscriptions = new Map<string, LocalSubscription>()
  #queue: DeliveryQueue | undefined
  #isEnded = false
  readonly #services: SessionServices

  /** Its state is in the journal, and every change goes there. */
  isJournaled = false

  constructor(clientId: ClientId, token: FencingToken, isClaimed: boolean, services: SessionServices) {
    this.clientId = clientId
    this.token = token
    this.isClaimed = isClaimed
    this.#services = services
  }

  get queuedCount(): number {
    return this.#queue?.size ?? 0
  }

  /** What the journal keeps of it beside subscriptions and messages. */
  record(): SessionRecord {
    return {
      clientId: this.clientId,
      token: this.token,
      expiryIntervalSeconds: this.expiryIntervalSeconds,
      disconnectedAtMs: this.disconnectedAtMs,
    }
  }

  /** Fills a new session with what the journal had. Its messages may have been sent before the restart. */
  restore(stored: StoredSession): void {
    this.isJournaled = true
    this.expiryIntervalSeconds = stored.session.expiryIntervalSeconds
    this.disconnectedAtMs = stored.session.disconnectedAtMs
    for (const subscription of stored.subscriptions) this.#index({ ...subscription, subscriber: this })
    for (const { position, qos, publication } of stored.queue) {
      this.#messages().add({ position, qos, publication, retain: false, duplicate: true })
    }
  }

  /** Adds or replaces a subscription; the journal's sequence must be committed before the client is told. */
  subscribe(options: Omit<LocalSubscription, 'subscriber'>): void {
    this.#index({ ...options, subscriber: this })
    if (this.isJournaled) this.#services.journal.putSubscription(this.clientId, options)
  }

  /** False when there was no such subscription. */
  unsubscribe(filter: string): boolean {
    if (!this.subscriptions.delete(filter)) return false
    if (this.#services.index.remove(filter, this)) this.#services.interest.removed(filter)
    if (this.isJournaled) this.#services.journal.deleteSubscription(this.clientId, filter)
    return true
  }

  /** Ends the session: takes it out of routing. The journal is left to the caller. */
  withdraw(): void {
    for (const filter of this.subscriptions.keys()) {
      if (this.#services.index.remove(filter, this)) this.#services.interest.removed(filter)
    }
    this.subscriptions.clear()
    this.#queue = undefined
    this.#isEnded = true
  }

  deliver(publication: Publication, subscription: LocalSubscription): void {
    if (this.#isEnded) return // while the same publication was being delivered to others
    const qos = Math.min(publication.qos, subscription.qos) as QoS
    const retain = subscription.retainAsPublished && publication.retain
    if (qos === 0) {
      if (this.client?.sendUnacknowledged(publication, retain, subscription) === true) {
        this.#services.stats.publishesSent++
      }
      return
    }
    const queue = this.#messages()
    const { queueMessagesMax, queueBytesMax } = this.#services.options
    if (queue.size >= queueMessagesMax || queue.byteCount + queuedBytes(publication) > queueBytesMax) {
      this.#services.stats.droppedQueueFull++
      return
    }
    const position = queue.nextPosition
    if (this.isJournaled) this.#services.journal.enqueue(this.clientId, { position, qos, publication })
    queue.add({ position, qos, publication, retain, duplicate: false })
    this.pump()
  }

  /** Sends what waits, as far as the client and the node allow. */
  pump(): void {
    const { client } = this
    const queue = this.#queue
    if (client === undefined || queue === undefined) return
    while (queue.inflightCount < client.inflightMax && client.canSendAcknowledged()) {
      const message = queue.peek()
      if (message === undefined) return
      const { expiresAtMs } = message.publication
      if (expiresAtMs !== undefined && expiresAtMs <= this.#services.clock.wallNow()) {
        this.#services.stats.droppedExpired++ // [MQTT-3.3.2-5]
        this.#forget(queue.dropNext())
      } else if (client.sendAcknowledged(message)) {
        queue.markSent()
        this.#services.stats.publishesSent++
      } else {
        this.#services.stats.droppedTooLarge++
        this.#forget(queue.dropNext())
      }
    }
  }

  /** The client acknowledged; identifiers that are not in flight are ignored, as after a lost connection. */
  acknowledge(packetId: number): void {
    const message = this.#queue?.acknowledge(packetId)
    if (message === undefined) return
    this.#forget(message)
    this.pump()
  }

  /** The connection is gone; what it had in flight waits for the next one. */
  detach(): void {
    this.client = undefined
    this.#queue?.rewind()
  }

  #forget(message: QueuedMessage): void {
    if (this.isJournaled) this.#services.journal.dequeue(this.clientId, message.position)
  }

  #messages(): DeliveryQueue {
    return (this.#queue ??= new DeliveryQueue())
  }

  #index(subscription: LocalSubscription): void {
    this.subscriptions.set(subscription.filter, subscription)
    if (this.#services.index.add(subscription)) this.#services.interest.added(subscription.filter)
  }
}
