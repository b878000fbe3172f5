/**
 * Publications at QoS ≥ 1 that one peer has not accepted yet, in order.
 *
 * It numbers them, remembers which were sent on the present link, and settles them when they are accepted. It does not send.
 * Invariant: sequences leave in order and without gaps, and each entry is settled exactly once.
 */
import type { Acceptance } from '../src/core/ports/routing.ts'

export interface OutgoingForward {
  readonly sequence: number
  readonly frame: Uint8Array
  /** Wall clock ms; undefined = never expires. */
  readonly expiresAtMs: number | undefined
  readonly acceptance: Acceptance | undefined
}

export class OutgoingForwards {
  #entries: OutgoingForward[] = []
  #head = 0
  /** Index of the next entry to send on the present link. */
  #cursor = 0
  #lastSequence = 0
  /** Bytes of the frames held. */
  byteCount = 0

  get count(): number {
    return this.#entries.length - this.#head
  }

  add(frame: Uint8Array, expiresAtMs: number | undefined, acceptance: Acceptance | undefined): void {
    acceptance?.expect()
    this.#entries.push({ sequence: ++this.#lastSequence, frame, expiresAtMs, acceptance })
    this.byteCount += frame.length
  }

  /** The next entry to send on this link, or undefined. */
  get next(): OutgoingForward | undefined {
    return this.#entries[this.#cursor]
  }

  /** `next` was handed to the transport. */
  advance(): void {
    this.#cursor++
  }

  /** A new link: everything that is not accepted is sent again. */
  rewind(): void {
    this.#cursor = this.#head
  }

  /** Settles everything up to `sequence`. False when the peer claims what was never sent. */
  accept(sequence: number): boolean {
    if (sequence > this.#lastSequence) return false
    for (;;) {
      const entry = this.#entries[this.#head]
      if (entry === undefined || entry.sequence > sequence) break
      this.#head++
      this.byteCount -= entry.frame.length
      entry.acceptance?.settle()
    }
    if (this.#cursor < this.#head) this.#cursor = this.#head
    if (this.#head === this.#entries.length) {
      this.#entries = []
      this.#head = this.#cursor = 0
    } else if (this.#head >= 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#cursor -= this.#head
      this.#head = 0
    }
    return true
  }

  /** The peer left for good: settles everything and says how many there were. */
  abandon(): number {
    const { count } = this
    this.accept(this.#lastSequence)
    return count
  }
}
