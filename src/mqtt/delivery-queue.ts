/**
 * Messages at QoS ≥ 1 on their way to one session's client: those in flight, in the order sent, and those waiting.
 *
 * It keeps order and bounds; sending, journaling and counting are the session's business. The packet identifier is a
 * function of the position, so it survives a restart without being stored, and is unique as long as the positions in flight
 * span fewer than 65,535. Invariant: a message is in exactly one of the two places, and a packet identifier in flight is
 * never given to another message [MQTT-2.2.1-4].
 */
import type { Publication } from '../core/publication.ts'
import type { QoS } from '../core/qos.ts'

export interface QueuedMessage {
  readonly position: number
  readonly qos: QoS
  readonly retain: boolean
  readonly publication: Publication
  /** It may have been sent before: DUP is set [MQTT-3.3.1-1]. */
  duplicate: boolean
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

export class DeliveryQueue {
  /** By packet identifier, in the order sent. */
  readonly #inflight = new Map<number, QueuedMessage>()
  #waiting: QueuedMessage[] = []
  #head = 0
  /** Position of the next message. */
  nextPosition = 0
  /** Bytes of everything here, as `queuedBytes` counts. */
  byteCount = 0

  get inflightCount(): number {
    return this.#inflight.size
  }

  get waitingCount(): number {
    return this.#waiting.length - this.#head
  }

  get size(): number {
    return this.inflightCount + this.waitingCount
  }

  /** Adds behind all others. Positions are given by `nextPosition`; a restored message brings its own, in order. */
  add(message: QueuedMessage): void {
    this.#waiting.push(message)
    this.byteCount += queuedBytes(message.publication)
    this.nextPosition = message.position + 1
  }

  /** The message to send next, or undefined when none waits or its packet identifier is still in flight. */
  peek(): QueuedMessage | undefined {
    const next = this.#waiting[this.#head]
    return next === undefined || this.#inflight.has(packetIdOf(next.position)) ? undefined : next
  }

  /** Moves the message `peek` returned into flight. */
  markSent(): void {
    const message = this.#shift()
    this.#inflight.set(packetIdOf(message.position), message)
  }

  /** Takes out the message `peek` returned, unsent. */
  dropNext(): QueuedMessage {
    const message = this.#shift()
    this.byteCount -= queuedBytes(message.publication)
    return message
  }

  /** Takes out the acknowledged message, or undefined when nothing is in flight under that identifier. */
  acknowledge(packetId: number): QueuedMessage | undefined {
    const message = this.#inflight.get(packetId)
    if (message === undefined) return undefined
    this.#inflight.delete(packetId)
    this.byteCount -= queuedBytes(message.publication)
    return message
  }

  /** The connection is gone: what was in flight waits again, before the rest, to be sent as duplicates [MQTT-4.4.0-1]. */
  rewind(): void {
    if (this.#inflight.size === 0) return
    const unacknowledged = [...this.#inflight.values()].sort((a, b) => a.position - b.position)
    for (const message of unacknowledged) message.duplicate = true
    this.#waiting = [...unacknowledged, ...this.#waiting.slice(this.#head)]
    this.#head = 0
    this.#inflight.clear()
  }

  #shift(): QueuedMessage {
    const message = this.#waiting[this.#head++]
    if (message === undefined) throw new Error('the delivery queue is empty')
    if (this.#head === this.#waiting.length) {
      this.#waiting = []
      this.#head = 0
    } else if (this.#head >= 256 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head)
      this.#head = 0
    }
    return message
  }
}
