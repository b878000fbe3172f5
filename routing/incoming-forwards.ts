/**
 * What one incarnation of a peer has forwarded to this node, and how much of it may be accepted.
 *
 * It ignores duplicates by sequence and holds acceptance back until the journal has committed what each delivery appended.
 * Invariant: `accepted` never passes a publication whose store effect is not committed.
 */
interface Checkpoint {
  sequence: number
  readonly storeSequence: number
}

export class IncomingForwards {
  readonly incarnation: number
  #received = 0
  #accepted = 0
  /** Deliveries that wait for the journal; adjacent ones that wait for the same sequence share an entry. */
  #waiting: Checkpoint[] = []

  constructor(incarnation: number) {
    this.incarnation = incarnation
  }

  /** Everything up to this sequence may be accepted. */
  get accepted(): number {
    return this.#accepted
  }

  /** False for a duplicate, which must not be delivered again. */
  isNew(sequence: number): boolean {
    return sequence > this.#received
  }

  /** A new publication was delivered; `storeSequence` must be committed first (0 = nothing to wait for). */
  delivered(sequence: number, storeSequence: number, committed: number): void {
    this.#received = sequence
    const last = this.#waiting[this.#waiting.length - 1]
    if (storeSequence <= committed) {
      if (last === undefined) this.#accepted = sequence
      else last.sequence = sequence
    } else if (last?.storeSequence === storeSequence) {
      last.sequence = sequence
    } else {
      this.#waiting.push({ sequence, storeSequence })
    }
  }

  /** The journal has committed up to `upTo`. True when `accepted` rose. */
  committed(upTo: number): boolean {
    let ready = 0
    for (const { sequence, storeSequence } of this.#waiting) {
      if (storeSequence > upTo) break
      this.#accepted = sequence
      ready++
    }
    if (ready === 0) return false
    this.#waiting = this.#waiting.slice(ready)
    return true
  }
}
