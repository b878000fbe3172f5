/**
 * One client's session: the messages on their way to it, whether it is connected or not.
 *
 * It decides whether a publication is sent, queued or dropped, and tells the journal when the session outlives its
 * connection. It knows nothing of other nodes, and encodes nothing. Invariant: of a journaled session, what is queued here
 * has been appended to the journal before anybody can be told that it was accepted.
 */
import type { ClientId, FencingToken } from '../core/ids.ts'
import type { LocalDelivery, LocalMatch, SharedTarget } from '../core/ports/routing.ts'
import type {
  DepartureMark,
  QueuedRecord,
  SessionRecord,
  StoredSession,
  TailMark,
} from '../core/ports/session-journal.ts'
import { isReserved, type Publication } from '../core/publication.ts'
import type { QoS } from '../core/qos.ts'
import { ClientPublications } from './client-publications.ts'
import { DeliveryQueue, packetIdOf, queuedBytes, type QueuedMessage } from './delivery-queue.ts'
import type { MqttServices } from './mqtt-services.ts'
import type { SessionArrival } from './session-arrival.ts'
import type { SessionClient } from './session-client.ts'
import { SessionHistory } from './session-history.ts'
import { SessionSubscriptions } from './session-subscriptions.ts'
import { endOfGap, heldAt, heldFrom } from './tail-marks.ts'
import { willRecord, type Will } from './will.ts'

/** A message of a session that is over, for another member of the shared subscription it came by. */
export type LegacyMessage = Required<Pick<QueuedRecord, 'position' | 'publication'>> & {
  readonly target: SharedTarget
}

type SessionServices = Pick<
  MqttServices,
  'journal' | 'router' | 'index' | 'interest' | 'stats' | 'options' | 'clock'
>

export class Session implements LocalDelivery {
  readonly clientId: ClientId
  token: FencingToken
  /** False for a session restored from the journal until its ownership is claimed in this life of the process. */
  isClaimed: boolean
  client: SessionClient | undefined
  /** Seconds after the disconnection; 0 = ends with the connection. */
  expiryIntervalSeconds = 0
  disconnectedAtMs: number | undefined
  readonly subscriptions: SessionSubscriptions
  /** Its state is in the journal, and every change goes there. */
  isJournaled = false
  #queue: DeliveryQueue | undefined
  #publications: ClientPublications | undefined
  /** It is on its way to another node: what is delivered to it is kept for that one. */
  departure: DepartureMark | undefined
  #history: SessionHistory | undefined
  /** Of the present connection, or of the last one while it is pending. */
  will: Will | undefined
  #isEnded = false
  readonly #services: SessionServices

  constructor(clientId: ClientId, token: FencingToken, isClaimed: boolean, services: SessionServices) {
    this.clientId = clientId
    this.token = token
    this.isClaimed = isClaimed
    this.#services = services
    this.subscriptions = new SessionSubscriptions(this, services)
  }

  get queuedCount(): number {
    return this.#queue?.size ?? 0
  }

  get inflightCount(): number {
    return this.#queue?.inflightCount ?? 0
  }

  /** Where it has been, and what it has had. */
  get history(): SessionHistory {
    return (this.#history ??= new SessionHistory(this, this.#services))
  }

  /** Earlier owners from which messages follow. */
  get tails(): readonly TailMark[] {
    return this.#history?.tails ?? NO_TAILS
  }

  /** What came to this node while it moved here; undefined long after. */
  get arrival(): SessionArrival | undefined {
    return this.#history?.arrival
  }

  /** What its client publishes. */
  get publications(): ClientPublications {
    return (this.#publications ??= new ClientPublications(this, this.#services.journal))
  }

  get isConnected(): boolean {
    return this.client !== undefined
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
      ...(this.departure === undefined ? {} : { departure: this.departure }),
      ...this.#history?.record(),
    }
  }

  /** Keeps that, if the session is journaled. */
  keepRecord(): void {
    if (this.isJournaled) this.#services.journal.putSession(this.record())
  }

  /** Fills a new session with what the journal had, or, with the positions that were sent, what another node handed over. */
  restore(stored: StoredSession, sent?: ReadonlySet<number>): void {
    const { expiryIntervalSeconds, disconnectedAtMs, departure, ...others } = stored.session
    this.isJournaled = true
    this.expiryIntervalSeconds = expiryIntervalSeconds
    this.disconnectedAtMs = disconnectedAtMs
    this.departure = departure
    if (others.tails ?? others.floors ?? others.gaps ?? others.hadWills) this.history.restore(others)
    this.will = stored.will
    this.subscriptions.restore(stored.subscriptions)
    const { inflightMax } = this.#services.options
    const held = heldFrom(this.tails)
    // Which of them were sent is not stored: no more than were allowed in flight, and none that waited for a tail.
    for (const entry of stored.queue) {
      const mayBeSent = this.queuedCount < inflightMax && entry.position < held
      this.#messages().restore(entry, sent?.has(entry.position) ?? mayBeSent)
    }
    if (stored.received.length > 0) this.publications.restore(stored.received)
    // Behind what an earlier owner had for those who subscribed before: what comes from now on is for these, too.
    for (const { fromPosition } of stored.subscriptions)
      if (fromPosition !== undefined) this.#messages().skipTo(fromPosition)
    // A position below would be taken for one that has been handed over already, or was queued before the session left.
    if (departure !== undefined) {
      this.#messages().skipTo(departure.nextPosition)
      this.#messages().skipTo(departure.restTo ?? 0)
    }
  }

  /** Keeps the will of the present connection where a restart finds it. */
  keepWill(will: Will | undefined): void {
    this.will = will
    if (!this.isJournaled) return
    if (will === undefined) this.#services.journal.deleteWill(this.clientId)
    else this.#services.journal.putWill(this.clientId, willRecord(will))
  }

  /**
   * Of its messages, in order, those another member of their shared subscription gets once the session is over: its client has
   * not acknowledged them, and at QoS 2 their sending has not begun [MQTT-4.8.2-5]. Of a session that was leaving those its new
   * owner is not known to have; whether that one has begun to send any is not known, either. What came by a shared subscription
   * that its client has ended since is still delivered to it, as section 3.10.4 allows, and is among them.
   */
  legacy(): readonly LegacyMessage[] {
    const left: LegacyMessage[] = []
    for (const { position, qos, target, publication, duplicate } of this.#queue?.waitingFrom(0) ?? []) {
      if (target === undefined || publication === undefined) continue
      if (qos < 2 || (!duplicate && this.departure === undefined))
        left.push({ position, target, publication })
    }
    return left
  }

  /** Ends the session. The journal is left to the caller. */
  withdraw(): void {
    this.subscriptions.unroute()
    this.arrival?.end()
    this.#queue?.leaveTotals()
    this.#queue = undefined
    this.#isEnded = true
  }

  deliver(publication: Publication, match: LocalMatch): void {
    if (match.qos > 0) {
      if (this.#history?.takes(publication, match) === false) return
      if (match.group === undefined && !this.takesWill(publication)) return
    }
    this.#deliver(publication, match, match.retainAsPublished && publication.retain)
  }

  /**
   * To be asked, in the same change of the journal, of what is added to the queue: false for a will that the session has had,
   * else a will is noted.
   */
  takesWill({ id, qos }: Publication): boolean {
    if (!isReserved(id) || qos === 0 || !this.isJournaled || this.#isEnded) return true
    return this.history.takesWill(id)
  }

  deliverLacking(publication: Publication, match: LocalMatch): void {
    const { id } = publication
    if (id !== undefined && match.group === undefined && this.#history?.gaps?.has(id) === true)
      this.deliver(publication, match)
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
    this.#history?.keepKnown(message)
    this.#complete(message)
  }

  /** PUBREC: the client has the message. False when nothing at QoS 2 is in flight under that identifier. */
  release(packetId: number): boolean {
    const message = this.#queue?.inflight(packetId)
    if (message?.qos !== 2) return false
    if (message.publication !== undefined) {
      this.#history?.keepKnown(message)
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

  /** The connection is gone; what it had in flight waits for the next one. */
  detach(): void {
    this.client = undefined
    this.#queue?.rewind()
  }

  /** Messages on their way, for who moves the session between nodes. */
  get queue(): DeliveryQueue {
    return this.#messages()
  }

  /** The new owner has what is below `position`. */
  dropQueued(position: number): void {
    for (const message of this.#queue?.dropBelow(position) ?? []) this.#forget(message)
  }

  /** Adds a message that an earlier owner took: in its place, or at the end once something behind it has been sent. */
  addTail(record: QueuedRecord): void {
    const queue = this.#messages()
    if (!this.#makeRoom(queue, queuedBytes(record.publication))) {
      this.#services.stats.droppedQueueFull++
      return
    }
    const place = this.#placeFor(record.position) ?? queue.nextPosition
    this.#insert(place === record.position ? record : { ...record, position: place })
  }

  /** Moves a waiting message forward, to where an earlier owner had it, unless what is behind that has been sent. */
  advance(waiting: QueuedRecord, position: number): void {
    const place = this.#placeFor(position)
    if (place === undefined || place >= waiting.position) return
    this.#messages().take(waiting.position)
    if (this.isJournaled) this.#services.journal.dequeue(this.clientId, waiting.position)
    this.#insert({ ...waiting, position: place })
  }

  /** Its own, or in front of what waits for such messages; undefined: at neither. */
  #placeFor(position: number): number | undefined {
    const queue = this.#messages()
    if (queue.isOpen(position)) return position
    const gap = heldAt(this.tails)
    return gap === Infinity ? undefined : queue.openFrom(gap, endOfGap(gap))
  }

  #insert(record: QueuedRecord): void {
    const storeSequence = this.isJournaled ? this.#services.journal.enqueue(this.clientId, record) : 0
    this.#messages().insert({ ...record, duplicate: false, storeSequence })
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
    const { subscriptionIdentifiers, group, filter } = match
    const position = queue.nextPosition
    const common = { position, qos, retain, subscriptionIdentifiers, publication }
    const record =
      group === undefined || filter === undefined ? common : { ...common, target: { group, filter } }
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
    if (this.#queue === undefined) {
      this.#queue = new DeliveryQueue(this.#services.stats.queued)
      if (this.#isEnded) this.#queue.leaveTotals()
    }
    return this.#queue
  }
}

function isExpired({ expiresAtMs }: Publication, nowMs: number): boolean {
  return expiresAtMs !== undefined && expiresAtMs <= nowMs
}

const NO_TAILS: readonly TailMark[] = []
