/**
 * One client's session: its subscriptions and the messages on their way to it, whether it is connected or not.
 *
 * It decides whether a publication is sent, queued or dropped, and tells the journal when the session outlives its
 * connection. It knows nothing of other nodes, and encodes nothing. Invariant: of a journaled session, what is queued here
 * has been appended to the journal before anybody can be told that it was accepted.
 */
import type { ClientId, FencingToken } from '../core/ids.ts'
import type { LocalDelivery, LocalMatch, LocalSubscription } from '../core/ports/routing.ts'
import type { SessionRecord, StoredSession, SubscriptionRecord } from '../core/ports/session-journal.ts'
import type { Publication } from '../core/publication.ts'
import type { QoS } from '../core/qos.ts'
import { DeliveryQueue, packetIdOf, queuedBytes, type QueuedMessage } from './delivery-queue.ts'
import type { MqttServices } from './mqtt-services.ts'
import { parseFilter } from './shared-filter.ts'
import type { Will } from './will.ts'

/** The client's end, while it is connected. */
export interface SessionClient {
  /** QoS ≥ 1 messages the client and the node allow in flight. */
  readonly inflightMax: number
  /** Whether QoS ≥ 1 may be sent now: the output is not congested and the node not suspended. */
  canSendAcknowledged(): boolean
  /** False: dropped, because the client is too slow or its maximum packet size forbids it. */
  sendUnacknowledged(publication: Publication, retain: boolean, match: LocalMatch): boolean
  /** False: larger than the client's maximum packet size [MQTT-3.1.2-24]. */
  sendAcknowledged(message: QueuedMessage, publication: Publication): boolean
  /** PUBREL, the third packet of a QoS 2 exchange, once the journal has everything up to now. */
  sendRelease(packetId: number): void
  /** Calls `Session.pump` after the journal's next commit. */
  awaitStore(): void
  /** Another connection, or another node, takes the session over: ends this one with 0x8E [MQTT-3.1.4-3]. */
  takeOver(detail: string): void
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
  /** By filter as subscribed, `$share/…` included. */
  readonly subscriptions = new Map<string, LocalSubscription>()
  /** Its state is in the journal, and every change goes there. */
  isJournaled = false
  #queue: DeliveryQueue | undefined
  /** Packet identifiers of QoS 2 PUBLISH packets of the client between PUBLISH and PUBREL. */
  #received: Set<number> | undefined
  #isEnded = false
  readonly #services: SessionServices

  constructor(clientId: ClientId, token: FencingToken, isClaimed: boolean, services: SessionServices) {
    this.clientId = clientId
    this.token = token
    this.isClaimed = isClaimed
    this.#services = services
  }

  get queuedCount(): number {
    return this.#queue?.size ?? 0
  }

  get canTakeShared(): boolean {
    return this.client !== undefined && this.queuedCount < this.client.inflightMax
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

  /** Fills a new session with what the journal had. */
  restore(stored: StoredSession): void {
    this.isJournaled = true
    this.expiryIntervalSeconds = stored.session.expiryIntervalSeconds
    this.disconnectedAtMs = stored.session.disconnectedAtMs
    for (const subscription of stored.subscriptions) this.#index(subscription)
    for (const entry of stored.queue) {
      const { position } = entry
      if ('isReleased' in entry) {
        const released = {
          qos: 2,
          retain: false,
          subscriptionIdentifiers: [],
          publication: undefined,
        } as const
        this.#messages().add({ position, ...released, duplicate: true, storeSequence: 0 })
      } else {
        // Which of them were sent is not stored: no more than were allowed in flight.
        const duplicate = this.queuedCount < this.#services.options.inflightMax
        this.#messages().add({ ...entry, duplicate, storeSequence: 0 })
      }
    }
    if (stored.received.length > 0) this.#received = new Set(stored.received)
  }

  /** Adds or replaces a subscription. The journal's last change must be committed before the client is told. */
  subscribe(subscription: SubscriptionRecord): LocalSubscription {
    if (this.isJournaled) this.#services.journal.putSubscription(this.clientId, subscription)
    return this.#index(subscription)
  }

  /** False when there was no such subscription. */
  unsubscribe(filter: string): boolean {
    const subscription = this.subscriptions.get(filter)
    if (subscription === undefined) return false
    this.subscriptions.delete(filter)
    this.#unindex(subscription)
    if (this.isJournaled) this.#services.journal.deleteSubscription(this.clientId, filter)
    return true
  }

  /** Keeps the will of the present connection where a restart finds it. */
  keepWill(will: Will | undefined): void {
    if (!this.isJournaled) return
    if (will === undefined) this.#services.journal.deleteWill(this.clientId)
    else {
      const publication = { ...will.publication, expiresAtMs: undefined }
      this.#services.journal.putWill(this.clientId, { ...will, publication })
    }
  }

  /** Ends the session: takes it out of routing. The journal is left to the caller. */
  withdraw(): void {
    for (const subscription of this.subscriptions.values()) this.#unindex(subscription)
    this.subscriptions.clear()
    this.#queue = undefined
    this.#isEnded = true
  }

  deliver(publication: Publication, match: LocalMatch): void {
    this.#deliver(publication, match, match.retainAsPublished && publication.retain)
  }

  /** As `deliver`, for a message that was retained before the client subscribed [MQTT-3.3.1-8]. */
  deliverRetained(publication: Publication, match: LocalMatch): void {
    this.#deliver(publication, match, true)
  }

  /** Whether retained messages can follow without overrunning the client or its queue. */
  get canTakeRetained(): boolean {
    const { client } = this
    return client !== undefined && client.canSendAcknowledged() && this.queuedCount < client.inflightMax
  }

  /** Sends what waits, as far as the client and the node allow. */
  pump(): void {
    const { client } = this
    const queue = this.#queue
    if (client === undefined || queue === undefined) return
    while (queue.inflightCount < client.inflightMax && client.canSendAcknowledged()) {
      const message = queue.peek()
      if (message === undefined) return
      const { publication } = message
      if (message.qos === 2 && message.storeSequence > this.#services.journal.committed) {
        // Sent before it is kept, it would be sent again as another message after a crash.
        client.awaitStore()
        return
      }
      if (publication === undefined) {
        client.sendRelease(packetIdOf(message.position))
        queue.markSent()
      } else if (!message.duplicate && isExpired(publication, this.#services.clock.wallNow())) {
        this.#services.stats.droppedExpired++ // [MQTT-3.3.2-5], but what was sent once goes on [MQTT-4.3.3-7]
        this.#forget(queue.dropNext())
      } else if (client.sendAcknowledged(message, publication)) {
        queue.markSent()
        this.#services.stats.publishesSent++
      } else {
        this.#services.stats.droppedTooLarge++
        this.#forget(queue.dropNext())
      }
    }
  }

  /** PUBACK, or PUBREC with an error: the exchange is over. Identifiers not in flight are ignored. */
  acknowledge(packetId: number, qos: QoS): void {
    const message = this.#queue?.inflight(packetId)
    if (message?.qos !== qos || message.publication === undefined) return
    this.#complete(message)
  }

  /** PUBREC: the client has the message. False when nothing at QoS 2 is in flight under that identifier. */
  release(packetId: number): boolean {
    const message = this.#queue?.inflight(packetId)
    if (message?.qos !== 2) return false
    if (message.publication !== undefined) {
      this.#queue?.release(message)
      if (this.isJournaled) this.#services.journal.release(this.clientId, message.position)
    }
    return true
  }

  /** PUBCOMP: the exchange is over. Identifiers that were not released are ignored. */
  complete(packetId: number): void {
    const message = this.#queue?.inflight(packetId)
    if (message?.qos === 2 && message.publication === undefined) this.#complete(message)
  }

  /** Notes a QoS 2 PUBLISH of the client. False when it is a duplicate of one not released yet [MQTT-4.3.3-10]. */
  receive(packetId: number): boolean {
    if (this.#received?.has(packetId) === true) return false
    this.#received ??= new Set()
    this.#received.add(packetId)
    if (this.isJournaled) this.#services.journal.putReceived(this.clientId, packetId)
    return true
  }

  /** PUBREL of the client: its identifier is free. False when it was not in use. */
  releaseReceived(packetId: number): boolean {
    if (this.#received?.delete(packetId) !== true) return false
    if (this.isJournaled) this.#services.journal.deleteReceived(this.clientId, packetId)
    return true
  }

  /** The connection is gone; what it had in flight waits for the next one. */
  detach(): void {
    this.client = undefined
    this.#queue?.rewind()
  }

  #deliver(publication: Publication, match: LocalMatch, retain: boolean): void {
    if (this.#isEnded) return // while the same publication was being delivered to others
    const qos = Math.min(publication.qos, match.qos) as QoS
    if (qos > 0) {
      this.#enqueue(publication, match, qos, retain)
    } else if (this.client?.sendUnacknowledged(publication, retain, match) === true) {
      this.#services.stats.publishesSent++
    }
  }

  #enqueue(publication: Publication, match: LocalMatch, qos: QoS, retain: boolean): void {
    const queue = this.#messages()
    if (!this.#makeRoom(queue, queuedBytes(publication))) {
      this.#services.stats.droppedQueueFull++
      return
    }
    const { subscriptionIdentifiers } = match
    const position = queue.nextPosition
    const record = { position, qos, retain, subscriptionIdentifiers, publication }
    const storeSequence = this.isJournaled ? this.#services.journal.enqueue(this.clientId, record) : 0
    queue.add({ ...record, duplicate: false, storeSequence })
    this.pump()
  }

  /** False when the new message is the one to drop. */
  #makeRoom(queue: DeliveryQueue, byteCount: number): boolean {
    const { queueMessagesMax, queueBytesMax, queueDrop } = this.#services.options
    while (queue.size >= queueMessagesMax || queue.byteCount + byteCount > queueBytesMax) {
      // What is in flight cannot be taken back.
      if (queueDrop === 'newest' || queue.waitingCount === 0) return false
      this.#services.stats.droppedQueueFull++
      this.#forget(queue.dropNext())
    }
    return true
  }

  #complete(message: QueuedMessage): void {
    this.#queue?.complete(message)
    this.#forget(message)
    this.pump()
  }

  #forget(message: QueuedMessage): void {
    if (this.isJournaled) this.#services.journal.dequeue(this.clientId, message.position)
  }

  #messages(): DeliveryQueue {
    return (this.#queue ??= new DeliveryQueue())
  }

  #index(record: SubscriptionRecord): LocalSubscription {
    const parsed = parseFilter(record.filter)
    if (parsed === undefined) throw new Error(`the invalid filter ${record.filter} was granted`)
    const { index, interest } = this.#services
    const { subscriptionIdentifier, ...options } = record
    const subscription: LocalSubscription = {
      ...options,
      ...parsed,
      subscriber: this,
      subscriptionIdentifiers:
        subscriptionIdentifier === undefined ? NO_IDENTIFIERS : [subscriptionIdentifier],
    }
    this.subscriptions.set(record.filter, subscription)
    if (index.add(subscription)) interest.added(subscription.filter)
    return subscription
  }

  #unindex({ filter, group }: LocalSubscription): void {
    if (this.#services.index.remove(filter, group, this)) this.#services.interest.removed(filter)
  }
}

function isExpired({ expiresAtMs }: Publication, nowMs: number): boolean {
  return expiresAtMs !== undefined && expiresAtMs <= nowMs
}

const NO_IDENTIFIERS: readonly number[] = []
