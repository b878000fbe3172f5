/**
 * Messages at QoS ≥ 1 on their way to one session's client: those in flight, in the order sent, and those waiting.
 *
 * It keeps order and bounds; sending, journaling and counting are the session's business. The packet identifier is a
 * function of the position, so it survives a restart without being stored, and is unique as long as the positions in flight
 * span fewer than 65,535. Invariant: a message is in exactly one of the two places, and a packet identifier in flight is
 * never given to another message [MQTT-2.2.1-4].
 */
import type { SharedTarget } from '../core/ports/routing.ts'
import type { StoredQueueEntry } from '../core/ports/session-journal.ts'
import type { Publication } from '../core/publication.ts'
import type { QoS } from '../core/qos.ts'

export interface QueuedMessage {
  readonly position: number
  readonly qos: QoS
  readonly retain: boolean
  readonly subscriptionIdentifiers: readonly number[]
  /** As in `QueuedRecord`. */
  readonly target?: SharedTarget | undefined
  /** Undefined once the client has it and only the rest of the QoS 2 exchange is due. */
  publication: Publication | undefined
  /** It may have been sent before: DUP is set [MQTT-3.3.1-1]. */
  duplicate: boolean
  /** Journal sequence under which it is kept; 0 when it is not, or was there at the start. */
  readonly storeSequence: number
}

const PACKET_IDS = 65_535

/** The packet identifier a message at this position is sent with: 1–65535. */
export function packetIdOf(position: number): number {
  return (position % PACKET_IDS) + 1
}

/** What a message counts against the byte bound of a queue. */
export function queuedBytes(publication: Publication): number {
  return publication.payload.length + publication.topic.length + (publication.properties?.length ?? 0) + 64
}

/** What is in all queues of a node, kept by these as they change: nobody has to go through them. */
export interface QueueTotals {
  messages: number
  /** As `queuedBytes` counts. */
  bytes: number
}

export class DeliveryQueue {
  /** By packet identifier, in the order sent. */
  readonly #inflight = new Map<number, QueuedMessage>()
  #waiting: QueuedMessage[] = []
  #head = 0
  /** Position of the next message. */
  nextPosition = 0
  /** Messages from this position on wait until it is raised: earlier ones are still to come. */
  holdFrom = Infinity
  /** No message at or below it may be added any more: a later one has been sent or dropped, or may have been elsewhere. */
  #passed = -1
  /** Bytes of the messages here, as `queuedBytes` counts. */
  byteCount = 0
  #totals: QueueTotals

  constructor(totals: QueueTotals) {
    this.#totals = totals
  }

  get inflightCount(): number {
    return this.#inflight.size
  }

  get waitingCount(): number {
    return this.#waiting.length - this.#head
  }

  get size(): number {
    return this.inflightCount + this.waitingCount
  }

  /** Its session is over: what is here, and what comes, is no longer part of the totals. */
  leaveTotals(): void {
    this.#totals.messages -= this.size
    this.#totals.bytes -= this.byteCount
    this.#totals = { messages: 0, bytes: 0 }
  }

  /** Adds behind all others. Positions are given by `nextPosition`; a restored message brings its own, in order. */
  add(message: QueuedMessage): void {
    this.#waiting.push(message)
    this.#count(message, 1)
    this.nextPosition = message.position + 1
    if (message.duplicate) this.#passed = message.position
  }

  /** Adds what was stored; `wasSent`: the client may have it. */
  restore(entry: StoredQueueEntry, wasSent: boolean): void {
    const { position } = entry
    if ('isReleased' in entry) {
      const released = { qos: 2, retain: false, subscriptionIdentifiers: [], publication: undefined } as const
      this.add({ position, ...released, duplicate: true, storeSequence: 0 })
    } else {
      this.add({ ...entry, duplicate: wasSent, storeSequence: 0 })
    }
  }

  /** Later messages have this position or a higher one. */
  skipTo(position: number): void {
    this.nextPosition = Math.max(this.nextPosition, position)
  }

  /** A message behind this position may have been sent, by an earlier owner or an earlier life of the process. */
  pass(position: number): void {
    this.#passed = Math.max(this.#passed, position)
  }

  /** Whether a message can still be put at this position with `insert`. */
  isOpen(position: number): boolean {
    return position > this.#passed && this.#waiting[this.#indexOf(position)]?.position !== position
  }

  /** The first place from there on that is behind everything sent, and all that waits before `end`. */
  openFrom(position: number, end: number): number {
    const last = this.#waiting[this.#indexOf(end) - 1]?.position ?? -1
    return Math.max(position, this.#passed + 1, last + 1)
  }

  /** Adds where its position says, which `isOpen`. */
  insert(message: QueuedMessage): void {
    this.#waiting.splice(this.#indexOf(message.position), 0, message)
    this.#count(message, 1)
    this.nextPosition = Math.max(this.nextPosition, message.position + 1)
  }

  /** Waiting messages from `position` on, the first `max`. With nothing in flight these are all. */
  waitingFrom(position: number, max = Infinity): readonly QueuedMessage[] {
    const start = this.#indexOf(position)
    return this.#waiting.slice(start, start + max)
  }

  /** Takes out the waiting message at this position. */
  take(position: number): void {
    const [message] = this.#waiting.splice(this.#indexOf(position), 1)
    if (message?.position !== position) throw new Error(`no message waits at position ${position}`)
    this.#count(message, -1)
  }

  /** Takes out the waiting messages below `position`. */
  dropBelow(position: number): readonly QueuedMessage[] {
    const end = this.#indexOf(position)
    const dropped = this.#waiting.slice(this.#head, end)
    for (const message of dropped) this.#count(message, -1)
    this.#head = end
    this.#tidy()
    return dropped
  }

  /** The message to send next, or undefined when none waits, it is held, or its packet identifier is still in flight. */
  peek(): QueuedMessage | undefined {
    const next = this.#waiting[this.#head]
    if (next === undefined || next.position >= this.holdFrom) return undefined
    return this.#inflight.has(packetIdOf(next.position)) ? undefined : next
  }

  /** Moves the message `peek` returned into flight. */
  markSent(): void {
    const message = this.#shift()
    this.#inflight.set(packetIdOf(message.position), message)
  }

  /** Takes out the oldest waiting message. */
  dropNext(): QueuedMessage {
    const message = this.#shift()
    this.#count(message, -1)
    return message
  }

  /** The message in flight under that identifier. */
  inflight(packetId: number): QueuedMessage | undefined {
    return this.#inflight.get(packetId)
  }

  /** The client has the message in flight: it may go, its place and identifier stay until `complete`. */
  release(message: QueuedMessage): void {
    this.#countBytes(message, -1)
    message.publication = undefined
  }

  /** The exchange of the message in flight is over. */
  complete(message: QueuedMessage): void {
    this.#inflight.delete(packetIdOf(message.position))
    this.#count(message, -1)
  }

  /** The connection is gone: what was in flight waits again, before the rest, to be sent as duplicates [MQTT-4.4.0-1]. */
  rewind(): void {
    if (this.#inflight.size === 0) return
    const unfinished = [...this.#inflight.values()].sort((a, b) => a.position - b.position)
    for (const message of unfinished) message.duplicate = true
    this.#waiting = [...unfinished, ...this.#waiting.slice(this.#head)]
    this.#head = 0
    this.#inflight.clear()
  }

  /** Of the first waiting message at or behind `position`; they are in order of position. */
  #indexOf(position: number): number {
    let low = this.#head
    let high = this.#waiting.length
    if (high > low && (this.#waiting[high - 1] as QueuedMessage).position < position) return high
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#waiting[middle] as QueuedMessage).position < position) low = middle + 1
      else high = middle
    }
    return low
  }

  #count(message: QueuedMessage, sign: 1 | -1): void {
    this.#totals.messages += sign
    this.#countBytes(message, sign)
  }

  #countBytes({ publication }: QueuedMessage, sign: 1 | -1): void {
    if (publication === undefined) return
    const bytes = sign * queuedBytes(publication)
    this.byteCount += bytes
    this.#totals.bytes += bytes
  }

  #shift(): QueuedMessage {
    const message = this.#waiting[this.#head++]
    if (message === undefined) throw new Error('the delivery queue is empty')
    if (message.position > this.#passed) this.#passed = message.position
    this.#tidy()
    return message
  }

  /** Lets go of what is no longer waiting, now and then, so that a long queue is not copied for each message. */
  #tidy(): void {
    if (this.#head === this.#waiting.length) {
      this.#waiting = []
      this.#head = 0
    } else if (this.#head >= 256 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head)
      this.#head = 0
    }
  }
}
