/**
 * Everything at QoS ≥ 1 that one peer has not accepted, in order: in memory, and once the peer is late or gone, on disk.
 *
 * Direct: publications wait in memory and their publishers with them. Durable: they go into the peer's outbox, their
 * publishers wait for the disk alone, and a window of them is read back for sending; this lasts until nothing is left. It
 * does not send. Invariants: publications are sent in the order they were added; a publisher is told that one is kept only
 * when the peer has it or the disk will.
 */
import type { ClientId } from '../src/core/ids.ts'
import { errorMessage } from '../src/core/errors.ts'
import { limits } from '../src/core/limits.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { OutboxRecord } from '../src/core/ports/outbox-journal.ts'
import type { Acceptance } from '../src/core/ports/routing.ts'
import type { MessageId } from '../src/core/publication.ts'
import { Handover } from './handover.ts'
import type { LatencyHistogram } from './latency-histogram.ts'
import type { Outbox } from './outbox.ts'
import { OutgoingForwards, type OutgoingForward } from './outgoing-forwards.ts'

export interface OutboxLimits {
  /** Publications and bytes in one peer's outbox. */
  readonly outboxMessagesMax: number
  readonly outboxBytesMax: number
}

export interface OutboxStats {
  /** Publications put into an outbox. */
  stored: number
  /** QoS ≥ 1 dropped for a node that is gone: its outbox was full. */
  outboxDropped: number
  /** Publications that expired in an outbox. */
  outboxExpired: number
}

export interface PeerQueueComponents {
  readonly clock: Clock
  readonly logger: Logger
  readonly limits: OutboxLimits
  readonly stats: OutboxStats
  /** Time from a publication to its acceptance, for those that did not go through an outbox. */
  readonly latency: LatencyHistogram
}

/** A publication taken back, for another node. */
export type Undelivered = Pick<OutgoingForward, 'frame' | 'expiresAtMs' | 'acceptance' | 'attempt'>

interface Held {
  readonly frame: Uint8Array
  readonly expiresAtMs: number | undefined
  readonly acceptance: Acceptance | undefined
  readonly publisher: ClientId
}

export class PeerQueue {
  readonly #components: PeerQueueComponents
  readonly #outbox: Outbox
  readonly #outgoing = new OutgoingForwards(entry => this.#onAccepted(entry))
  /** What found the outbox of a live peer full: not stored, so not acknowledged. Its publishers are not read. */
  #held: Held[] = []
  #isDurable: boolean
  #isAway = false
  #isFull = false
  #isReading = false
  #isStopped = false
  #nowMs = 0
  /** Publications taken in so far, those taken back or dropped later left out. */
  #added = 0

  constructor(components: PeerQueueComponents, outbox: Outbox) {
    this.#components = components
    this.#outbox = outbox
    this.#isDurable = outbox.count > 0
  }

  /** Publications that are not accepted, wherever they wait. */
  get count(): number {
    return this.#outgoing.count + this.#outbox.unreadCount + this.#held.length
  }

  /** A place in the order of what was added: behind everything there is now. See `hasPassed`. */
  get end(): number {
    return this.#added
  }

  /** Whether nothing is left of what was added before `end` was this. */
  hasPassed(end: number): boolean {
    return this.count === 0 || this.#added - this.count >= end
  }

  get outboxCount(): number {
    return this.#outbox.count
  }

  get outboxByteCount(): number {
    return this.#outbox.byteCount
  }

  /** Everything goes through the outbox at present. */
  get isDurable(): boolean {
    return this.#isDurable
  }

  /** Whether publishers should wait. Full until there is some room, so that it does not change with every message. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** `attempt`: how many nodes it was sent to before. `publisher`: whose order it is part of. */
  add(
    frame: Uint8Array,
    expiresAtMs: number | undefined,
    acceptance: Acceptance | undefined,
    attempt = 0,
    publisher: ClientId = '',
  ): void {
    if (!this.#isDurable) {
      this.#outgoing.add(frame, expiresAtMs, acceptance, this.#components.clock.now(), attempt, publisher)
    } else if (this.#held.length === 0 && this.#outgoing.firstUnstored === undefined && this.#fits(frame)) {
      this.#store({ frame, expiresAtMs, acceptance, publisher })
    } else if (this.#isAway) {
      this.#components.stats.outboxDropped++
      this.#added--
    } else {
      acceptance?.expect()
      this.#held.push({ frame, expiresAtMs, acceptance, publisher })
    }
    this.#added++
    this.#updateFull()
  }

  /** Whether something of that publisher's lies in the outbox. */
  owes(publisher: ClientId): boolean {
    return this.#outbox.publishers.positionsOf(publisher).size > 0
  }

  /** Of the newest publication of that publisher in the outbox. */
  lastIdOf(publisher: ClientId): MessageId | undefined {
    return this.#outbox.publishers.lastIdOf(publisher)
  }

  /** What lies in the outbox of that publisher's, as far as it is committed, in order. */
  debtsOf(publisher: ClientId): AsyncIterable<OutboxRecord> {
    return this.#outbox.readOf(publisher)
  }

  /** The next to send on the present link, or undefined. */
  get next(): OutgoingForward | undefined {
    return this.#outgoing.next
  }

  /** `next` was handed to the transport. */
  advance(): void {
    this.#outgoing.advance()
  }

  /** A new link: what is not accepted is sent again. */
  rewind(): void {
    this.#outgoing.rewind()
  }

  /** The peer has accepted everything up to `sequence`. False when that was never sent. */
  accept(sequence: number): boolean {
    this.#nowMs = this.#components.clock.now()
    if (!this.#outgoing.accept(sequence)) return false
    if (this.#isDurable) {
      this.#storeWaiting()
      this.#leaveDurable()
    }
    this.#updateFull()
    return true
  }

  /** Ms until the oldest publication that is in memory alone has waited `timeoutMs`; undefined when there is none. */
  msUntilLate(timeoutMs: number): number | undefined {
    const oldest = this.#isDurable ? undefined : this.#outgoing.first
    if (oldest === undefined) return undefined
    return Math.max(0, oldest.atMs + timeoutMs - this.#components.clock.now())
  }

  /** The peer is late: everything goes to disk, until nothing is left. */
  makeDurable(): void {
    if (this.#isDurable) return
    this.#isDurable = true
    this.#storeWaiting()
    this.#updateFull()
  }

  /** The peer has no use for this one, which it will accept. Undefined when that is known, or it was accepted before. */
  refused(sequence: number): Undelivered | undefined {
    const entry = this.#outgoing.find(sequence)
    if (entry === undefined || entry.isRefused) return undefined
    entry.isRefused = true
    const { frame, expiresAtMs, acceptance, attempt } = entry
    entry.acceptance = undefined
    // Nobody waits for what is in the outbox, which is all there is of it until another node has it.
    if (entry.position > 0) entry.handover = new Handover()
    return { frame, expiresAtMs, acceptance: entry.handover ?? acceptance, attempt }
  }

  /** Whether everything that waits is in memory, be it in the outbox as well. */
  get isInMemory(): boolean {
    return this.#outbox.unreadCount === 0 && this.#held.length === 0
  }

  /**
   * Takes back what is in memory and `isWanted`, before the node is away or, if some lies in the outbox, all else is discarded.
   * Answers with it, but for what the node refused, which another has had since.
   */
  takeBack(isWanted: (entry: OutgoingForward) => boolean): readonly Undelivered[] {
    const taken = this.#outgoing.extract(isWanted)
    this.#added -= taken.length
    return taken.filter(({ isRefused }) => !isRefused)
  }

  /** The node is not a member (or is one again): nobody waits for it, and what its outbox cannot take is dropped. */
  setAway(isAway: boolean): void {
    this.#isAway = isAway
    if (!isAway) {
      this.#leaveDurable()
      return
    }
    this.#isDurable = true
    this.#storeWaiting()
    const held = this.#held
    this.#held = []
    for (const { acceptance } of held) acceptance?.settle()
    this.#components.stats.outboxDropped += held.length
    this.#added -= held.length
    this.#updateFull()
  }

  /** Nothing is owed to it any more. Returns how many publications were given up. */
  discard(): number {
    const { count } = this
    this.#outgoing.acceptAll()
    for (const { acceptance } of this.#held) acceptance?.settle()
    this.#held = []
    this.#outbox.discard()
    this.#updateFull()
    return count
  }

  /** Nothing is read from the outbox any more: the store will be closed. */
  stop(): void {
    this.#isStopped = true
  }

  onCommitted(upTo: number): void {
    this.#outbox.onCommitted(upTo)
  }

  /** Reads the next part of the outbox when the window has room; calls back, later, when there is something to send. */
  refill(onRefilled: () => void): void {
    if (this.#isReading || this.#isStopped || !this.#outbox.hasReadable || !this.#hasRoom()) return
    this.#isReading = true
    void this.#read(onRefilled)
  }

  async #read(onRefilled: () => void): Promise<void> {
    try {
      for await (const record of this.#outbox.read()) {
        // Discarded, or the rest for later.
        if (this.#isStopped || !this.#outbox.hasReadable || !this.#hasRoom()) break
        this.#take(record)
      }
    } catch (error) {
      if (this.#isStopped) return
      this.#components.logger.error('an outbox could not be read: what waits in it is not sent', {
        error: errorMessage(error),
      })
      return // stays "reading": another try would fail too
    }
    this.#isReading = false
    onRefilled()
  }

  #take({ position, expiresAtMs, publisher, frame }: OutboxRecord): void {
    const { clock, stats } = this.#components
    this.#outbox.taken(position)
    if (expiresAtMs !== undefined && expiresAtMs <= clock.wallNow()) {
      stats.outboxExpired++
      this.#outbox.remove(position, frame.length, publisher)
    } else {
      // A copy: sending writes into it.
      const copy = Uint8Array.from(frame)
      this.#outgoing.addStored(copy, expiresAtMs, position, clock.now(), publisher, undefined)
    }
  }

  #hasRoom(): boolean {
    const { count, byteCount } = this.#outgoing
    return count < limits.outboxWindowMessagesMax && byteCount < limits.outboxWindowBytesMax
  }

  #fits(frame: Uint8Array): boolean {
    const { outboxMessagesMax, outboxBytesMax } = this.#components.limits
    return this.#outbox.count < outboxMessagesMax && this.#outbox.byteCount + frame.length <= outboxBytesMax
  }

  /** Puts what waits for the outbox into it, as far as it takes it. */
  #storeWaiting(): void {
    const { stats } = this.#components
    for (let entry = this.#outgoing.firstUnstored; entry !== undefined;) {
      if (!this.#fits(entry.frame)) return
      const sequence = this.#outbox.add(entry.frame, entry.expiresAtMs, entry.publisher)
      stats.stored++
      this.#outbox.taken(this.#outbox.last)
      this.#outgoing.stored(this.#outbox.last)
      const { acceptance } = entry
      entry.acceptance = undefined
      acceptance?.requireCommitted(sequence)
      acceptance?.settle()
      entry = this.#outgoing.firstUnstored
    }
    let taken = 0
    for (const held of this.#held) {
      if (!this.#fits(held.frame)) break
      taken++
      this.#store(held)
      held.acceptance?.settle()
    }
    if (taken > 0) this.#held = this.#held.slice(taken)
  }

  #store({ frame, expiresAtMs, acceptance, publisher }: Held): void {
    const sequence = this.#outbox.add(frame, expiresAtMs, publisher)
    acceptance?.requireCommitted(sequence)
    this.#components.stats.stored++
    if (this.#outbox.unreadCount > 1 || !this.#hasRoom()) return
    const { last } = this.#outbox
    this.#outbox.taken(last)
    const { clock } = this.#components
    this.#outgoing.addStored(frame, expiresAtMs, last, clock.now(), publisher, acceptance)
  }

  #onAccepted({ position, frame, acceptance, atMs, publisher, handover }: OutgoingForward): void {
    if (handover !== undefined) {
      this.#outbox.keep(position)
      handover.whenSettled(() => {
        if (!this.#outbox.isKept(position)) return // discarded
        this.#outbox.remove(position, frame.length, publisher)
        this.#leaveDurable()
        this.#updateFull()
      })
    } else if (position > 0) {
      this.#outbox.remove(position, frame.length, publisher)
    } else {
      this.#components.latency.add(this.#nowMs - atMs)
      acceptance?.settle()
    }
  }

  /** Back to memory when nothing is left for the outbox to carry. */
  #leaveDurable(): void {
    if (this.#isAway || this.#outbox.count > 0 || this.#outgoing.count > 0 || this.#held.length > 0) return
    this.#isDurable = false
  }

  #updateFull(): void {
    if (this.#isAway) {
      this.#isFull = false
      return
    }
    const { outboxMessagesMax, outboxBytesMax } = this.#components.limits
    const [count, countMax, bytes, bytesMax] = this.#isDurable
      ? [this.#outbox.count, outboxMessagesMax, this.#outbox.byteCount, outboxBytesMax]
      : [
          this.#outgoing.count,
          limits.forwardUnacceptedMax,
          this.#outgoing.byteCount,
          limits.peerQueueBytesMax,
        ]
    const isOver = count >= countMax || bytes >= bytesMax || this.#held.length > 0
    this.#isFull = isOver || (this.#isFull && (count * 2 >= countMax || bytes * 2 >= bytesMax))
  }
}
