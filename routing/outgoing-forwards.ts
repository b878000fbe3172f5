/**
 * Publications at QoS ≥ 1 in memory that one peer has not accepted yet, in order.
 *
 * It numbers them, remembers which were sent on the present link and which lie in the peer's outbox as well. It does not
 * send or store. Invariant: sequences leave in order, and each entry is given up exactly once.
 */
import type { ClientId } from '../src/core/ids.ts'
import type { Acceptance } from '../src/core/ports/routing.ts'
import type { Handover } from './handover.ts'

export interface OutgoingForward {
  readonly sequence: number
  readonly frame: Uint8Array
  /** Wall clock ms; undefined = never expires. */
  readonly expiresAtMs: number | undefined
  /** Monotonic ms when it was taken. */
  readonly atMs: number
  /** Who waits for the peer; nobody once it is in the outbox. */
  acceptance: Acceptance | undefined
  /** Says what must be committed here before it may be sent; undefined: nothing, or it is. */
  gate: Acceptance | undefined
  /** Its place in the peer's outbox, 0 = it is in memory alone. */
  position: number
  /** It was handed to the transport, on this link or an earlier one. */
  isSent: boolean
  /** The peer had no use for it; it will accept it. */
  isRefused: boolean
  /** Then, if it is in the outbox: what it waits there for. */
  handover?: Handover
  /** How many nodes it was sent to before. */
  readonly attempt: number
  /** Client that published it; empty when that does not matter. */
  readonly publisher: ClientId
}

export class OutgoingForwards {
  readonly #onAccepted: (entry: OutgoingForward) => void
  #entries: OutgoingForward[] = []
  #head = 0
  /** Index of the next entry to send on the present link. */
  #cursor = 0
  /** Index of the first entry that is in memory alone: those before it are in the outbox, those behind it are not. */
  #unstored = 0
  #lastSequence = 0
  /** Bytes of the frames held. */
  byteCount = 0

  /** `onAccepted` is called for each entry that `accept` covers, in order. */
  constructor(onAccepted: (entry: OutgoingForward) => void) {
    this.#onAccepted = onAccepted
  }

  get count(): number {
    return this.#entries.length - this.#head
  }

  /** Adds one that is in memory alone. */
  add(
    frame: Uint8Array,
    expiresAtMs: number | undefined,
    acceptance: Acceptance | undefined,
    atMs: number,
    attempt = 0,
    publisher: ClientId = '',
  ): void {
    acceptance?.expect()
    this.#entries.push({
      sequence: ++this.#lastSequence,
      frame,
      expiresAtMs,
      atMs,
      acceptance,
      gate: gateOf(acceptance),
      position: 0,
      isSent: false,
      isRefused: false,
      attempt,
      publisher,
    })
    this.byteCount += frame.length
  }

  /** Adds one that lies in the outbox; so must all before it. */
  addStored(
    frame: Uint8Array,
    expiresAtMs: number | undefined,
    position: number,
    atMs: number,
    publisher: ClientId,
    gate: Acceptance | undefined,
  ): void {
    this.add(frame, expiresAtMs, undefined, atMs, 0, publisher)
    const entry = this.firstUnstored
    if (entry !== undefined) entry.gate = gateOf(gate)
    this.stored(position)
  }

  /** The oldest, or undefined. */
  get first(): OutgoingForward | undefined {
    return this.#entries[this.#head]
  }

  /** The next entry to send on this link, or undefined. */
  get next(): OutgoingForward | undefined {
    return this.#entries[this.#cursor]
  }

  /** `next` was handed to the transport. */
  advance(): void {
    const entry = this.#entries[this.#cursor++]
    if (entry !== undefined) entry.isSent = true
  }

  /** The oldest that is in memory alone, or undefined. */
  get firstUnstored(): OutgoingForward | undefined {
    return this.#entries[this.#unstored]
  }

  /** `firstUnstored` was put into the outbox. */
  stored(position: number): void {
    const entry = this.firstUnstored
    if (entry === undefined) throw new Error('nothing is left to be stored')
    entry.position = position
    this.#unstored++
  }

  /** A new link: everything that is not accepted is sent again. */
  rewind(): void {
    this.#cursor = this.#head
  }

  /** Gives up everything up to `sequence`. False when the peer claims what was never sent. */
  accept(sequence: number): boolean {
    if (sequence > this.#lastSequence) return false
    for (;;) {
      const entry = this.#entries[this.#head]
      if (entry === undefined || entry.sequence > sequence) break
      this.#head++
      this.byteCount -= entry.frame.length
      this.#onAccepted(entry)
    }
    if (this.#cursor < this.#head) this.#cursor = this.#head
    if (this.#unstored < this.#head) this.#unstored = this.#head
    if (this.#head === this.#entries.length) {
      this.#entries = []
      this.#head = this.#cursor = this.#unstored = 0
    } else if (this.#head >= 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#cursor -= this.#head
      this.#unstored -= this.#head
      this.#head = 0
    }
    return true
  }

  /** The entry with this sequence, or undefined. */
  find(sequence: number): OutgoingForward | undefined {
    return this.#entries.find((entry, index) => index >= this.#head && entry.sequence === sequence)
  }

  /** Takes out those that `isWanted` says; without them there are gaps. Nothing may be sent before the next `rewind`. */
  extract(isWanted: (entry: OutgoingForward) => boolean): OutgoingForward[] {
    const taken: OutgoingForward[] = []
    const kept: OutgoingForward[] = []
    this.#entries.forEach((entry, index) => {
      if (index < this.#head) return
      const isTaken = isWanted(entry)
      ;(isTaken ? taken : kept).push(entry)
      if (isTaken) this.byteCount -= entry.frame.length
    })
    const unstored = kept.findIndex(({ position }) => position === 0)
    this.#unstored = unstored === -1 ? kept.length : unstored
    this.#entries = kept
    this.#head = this.#cursor = 0
    return taken
  }

  /** Gives up everything. */
  acceptAll(): void {
    this.accept(this.#lastSequence)
  }
}

function gateOf(acceptance: Acceptance | undefined): Acceptance | undefined {
  return (acceptance?.sendAfter ?? 0) > 0 ? acceptance : undefined
}
