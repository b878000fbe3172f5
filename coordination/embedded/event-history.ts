import type { CoordinationEvent } from '../../src/core/ports/coordination-store.ts'

/** `isVolatile` as the operation said. */
export type StateEvent = CoordinationEvent & { readonly isVolatile?: boolean }

/** The events of one transaction. */
export interface RevisionEvents {
  readonly revision: number
  readonly events: readonly StateEvent[]
}

/** Past transactions, newest last, for watchers that are behind. Bounded: the oldest are compacted away. */
export class EventHistory {
  readonly #eventsMax: number
  /** From `#first` on, in order of revision, one per revision. */
  #transactions: RevisionEvents[] = []
  #first = 0
  #eventCount = 0
  #compactedRevision: number

  /** `revision`: the revision history begins after. `eventsMax`: how many events are kept at most. */
  constructor(revision: number, eventsMax: number) {
    this.#compactedRevision = revision
    this.#eventsMax = eventsMax
  }

  append(transaction: RevisionEvents): void {
    this.#transactions.push(transaction)
    this.#eventCount += transaction.events.length
    while (this.#eventCount > this.#eventsMax) this.#compactOldest()
  }

  /** Transactions with `after` < revision ≤ `upTo`, in order; undefined when some of them were compacted. */
  between(after: number, upTo: number): readonly RevisionEvents[] | undefined {
    if (after < this.#compactedRevision) return undefined
    return this.#transactions.slice(this.#indexAfter(after), this.#indexAfter(upTo))
  }

  /** Forgets transactions before `revision`. */
  compact(revision: number): void {
    while (this.#eventCount > 0 && (this.#transactions[this.#first] as RevisionEvents).revision < revision) {
      this.#compactOldest()
    }
    this.#compactedRevision = Math.max(this.#compactedRevision, revision - 1)
  }

  #indexAfter(revision: number): number {
    let low = this.#first
    let high = this.#transactions.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#transactions[middle] as RevisionEvents).revision <= revision) low = middle + 1
      else high = middle
    }
    return low
  }

  #compactOldest(): void {
    const oldest = this.#transactions[this.#first] as RevisionEvents
    this.#compactedRevision = oldest.revision
    this.#eventCount -= oldest.events.length
    this.#first++
    if (this.#first * 2 > this.#transactions.length) {
      this.#transactions = this.#transactions.slice(this.#first)
      this.#first = 0
    }
  }
}
