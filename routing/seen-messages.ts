/**
 * Which publications this node has delivered lately, by id, so that one that comes again by another way is dropped: a will
 * fired by its owner and the leader, an outbox resent by a new life of the ingress.
 *
 * A publisher's node sends its ordinary numbers in rising order: the last `seenNumbersMax` of each incarnation lie in a
 * sorted ring, written once per message and searched only when a publication comes from somebody else. What comes out of
 * order, reserved numbers above all, or is relayed by others, lies in a set of the same bound. It forgets the oldest beyond
 * that, and the incarnation heard least recently beyond `seenIncarnationsMax`. Invariant: it never names an id it was not told of.
 */
import type { Incarnation } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import { RESERVED_FROM, type MessageId } from '../src/core/publication.ts'

const FIRST_CAPACITY = 64

export class SeenMessages {
  /** In order of the last change of speaker: the first is the one to forget. */
  readonly #incarnations = new Map<Incarnation, SeenNumbers>()
  #lastIncarnation: Incarnation = 0
  #last: SeenNumbers | undefined

  get incarnationCount(): number {
    return this.#incarnations.size
  }

  has({ incarnation, number }: MessageId): boolean {
    return this.#incarnations.get(incarnation)?.has(number) === true
  }

  /** Whether a later number of that incarnation was added before: its own node sends them in rising order. */
  isOvertaken({ incarnation, number }: MessageId): boolean {
    const numbers = incarnation === this.#lastIncarnation ? this.#last : this.#incarnations.get(incarnation)
    return numbers !== undefined && number <= Math.max(numbers.highest, numbers.highestRelayed)
  }

  /** `isRelayed`: by somebody else than its own node, so that it says nothing of lower numbers. */
  add({ incarnation, number }: MessageId, isRelayed = false): void {
    if (this.#last === undefined || incarnation !== this.#lastIncarnation) this.#turnTo(incarnation)
    if (isRelayed) this.#last?.addRelayed(number)
    else this.#last?.add(number)
  }

  /** The highest number of each incarnation that was not relayed, reserved ones aside; the one heard last comes first. */
  highest(): MessageId[] {
    const ids: MessageId[] = []
    for (const [incarnation, { highest }] of this.#incarnations) {
      if (highest > 0) ids.push({ incarnation, number: highest })
    }
    return ids.reverse()
  }

  /** The same, relayed ones too: what it has is not above. */
  highestOfAll(): MessageId[] {
    const ids: MessageId[] = []
    for (const [incarnation, { highest, highestRelayed }] of this.#incarnations) {
      const number = Math.max(highest, highestRelayed)
      if (number > 0) ids.push({ incarnation, number })
    }
    return ids.reverse()
  }

  /** Relayed ones above the highest that was not. */
  beyond(): MessageId[] {
    const ids: MessageId[] = []
    for (const [incarnation, numbers] of this.#incarnations)
      if (numbers.highestRelayed > numbers.highest)
        for (const number of numbers.relayedAbove(numbers.highest)) ids.push({ incarnation, number })
    return ids
  }

  #turnTo(incarnation: Incarnation): void {
    const numbers = this.#incarnations.get(incarnation) ?? new SeenNumbers()
    this.#incarnations.delete(incarnation)
    this.#incarnations.set(incarnation, numbers)
    if (this.#incarnations.size > limits.seenIncarnationsMax) {
      for (const oldest of this.#incarnations.keys()) {
        this.#incarnations.delete(oldest)
        break
      }
    }
    this.#last = numbers
    this.#lastIncarnation = incarnation
  }
}

/** The numbers of one incarnation. */
class SeenNumbers {
  /** Rising, from `#start` on, wrapping around. */
  #ring = new Float64Array(FIRST_CAPACITY)
  #start = 0
  #count = 0
  #highest = 0
  #highestRelayed = 0
  #outOfOrder: Set<number> | undefined

  get highest(): number {
    return this.#highest
  }

  get highestRelayed(): number {
    return this.#highestRelayed
  }

  relayedAbove(least: number): number[] {
    return [...(this.#outOfOrder ?? [])].filter(number => number > least && number < RESERVED_FROM)
  }

  addRelayed(number: number): void {
    if (number < RESERVED_FROM) this.#highestRelayed = Math.max(number, this.#highestRelayed)
    this.#addOutOfOrder(number)
  }

  add(number: number): void {
    if (number <= this.#highest || number >= RESERVED_FROM) {
      this.#addOutOfOrder(number)
      return
    }
    this.#highest = number
    if (this.#count === this.#ring.length && this.#count < limits.seenNumbersMax) this.#grow()
    const capacity = this.#ring.length
    if (this.#count < capacity) {
      this.#ring[(this.#start + this.#count++) % capacity] = number
    } else {
      this.#ring[this.#start] = number
      this.#start = (this.#start + 1) % capacity
    }
  }

  has(number: number): boolean {
    if (this.#outOfOrder?.has(number) === true) return true
    const capacity = this.#ring.length
    let low = 0
    let high = this.#count - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const found = this.#ring[(this.#start + middle) % capacity] as number
      if (found === number) return true
      if (found < number) low = middle + 1
      else high = middle - 1
    }
    return false
  }

  #addOutOfOrder(number: number): void {
    const numbers = (this.#outOfOrder ??= new Set())
    numbers.add(number)
    if (numbers.size <= limits.seenNumbersMax) return
    for (const oldest of numbers) {
      numbers.delete(oldest)
      break
    }
  }

  #grow(): void {
    const grown = new Float64Array(Math.min(limits.seenNumbersMax, this.#ring.length * 2))
    for (let i = 0; i < this.#count; i++)
      grown[i] = this.#ring[(this.#start + i) % this.#ring.length] as number
    this.#ring = grown
    this.#start = 0
  }
}
