/**
 * Acknowledgements a client is owed, in the order of its packets [MQTT-4.6.0-2].
 *
 * Each waits until every party that must accept did so and the journal has committed what it depends on; a later one
 * never overtakes an earlier one. It never decides whether the node may acknowledge at all: the connection asks that when
 * it flushes. Invariant: a slot leaves once, complete, and in order.
 */
import type { Acceptance } from '../core/ports/routing.ts'
import { packetType } from './wire/packet-types.ts'

const PUBACK = packetType.puback

/** The answer to one packet. */
export class AcknowledgementSlot implements Acceptance {
  /** PUBACK, PUBREC or PUBCOMP, written when it leaves; 0 when the answer is in `bytes`. */
  readonly packetType: number
  readonly packetId: number
  bytes: Uint8Array | undefined
  reasonCode = 0
  /** Journal sequence that must be committed first. */
  storeSequence = 0
  /** As `Acceptance.sendAfter`. */
  sendAfter = 0
  outstanding = 0
  /** What is to happen once the answer has been written. */
  afterwards: (() => void) | undefined
  readonly #queue: AcknowledgementQueue

  constructor(
    packetType: number,
    packetId: number,
    bytes: Uint8Array | undefined,
    queue: AcknowledgementQueue,
  ) {
    this.packetType = packetType
    this.packetId = packetId
    this.bytes = bytes
    this.#queue = queue
  }

  expect(): void {
    if (this.outstanding++ === 0) this.#queue.unsettledCount++
  }

  settle(): void {
    if (--this.outstanding < 0) throw new Error('an acknowledgement was settled more often than expected')
    if (this.outstanding > 0) return
    this.#queue.unsettledCount--
    this.#queue.onSettled()
  }

  requireCommitted(storeSequence: number): void {
    if (storeSequence > this.storeSequence) this.storeSequence = storeSequence
  }
}

export class AcknowledgementQueue {
  #slots: AcknowledgementSlot[] = []
  #head = 0
  /** PUBACKs that wait. */
  pubackCount = 0
  /** Slots for which some party has not accepted yet. */
  unsettledCount = 0
  /** Called when some slot has no party left to wait for. */
  readonly onSettled: () => void

  constructor(onSettled: () => void) {
    this.onSettled = onSettled
  }

  get isEmpty(): boolean {
    return this.#head === this.#slots.length
  }

  /** Opens a slot behind all others: for the answer in `bytes`, or for a packet of `type`. */
  open(type: number, packetId: number, bytes?: Uint8Array): AcknowledgementSlot {
    const slot = new AcknowledgementSlot(type, packetId, bytes, this)
    if (type === PUBACK) this.pubackCount++
    this.#slots.push(slot)
    return slot
  }

  /** Whether the first slot may leave once the journal has committed up to `committed`. */
  isHeadReady(committed: number): boolean {
    const head = this.#slots[this.#head]
    return head !== undefined && head.outstanding === 0 && head.storeSequence <= committed
  }

  /** Whether the first slot waits for the journal alone. */
  isHeadWaitingForStore(committed: number): boolean {
    const head = this.#slots[this.#head]
    return head !== undefined && head.outstanding === 0 && head.storeSequence > committed
  }

  /** Takes the first slot, which must be ready. */
  take(): AcknowledgementSlot {
    const slot = this.#slots[this.#head++]
    if (slot === undefined) throw new Error('no acknowledgement is waiting')
    if (slot.packetType === PUBACK) this.pubackCount--
    if (this.#head === this.#slots.length) {
      this.#slots = []
      this.#head = 0
    } else if (this.#head >= 1024 && this.#head * 2 > this.#slots.length) {
      this.#slots = this.#slots.slice(this.#head)
      this.#head = 0
    }
    return slot
  }
}
