/**
 * Gives publications their identity (PROTOCOLS section 5): this life's incarnation and a running number.
 *
 * Two series of numbers are kept apart. Publications that leave at once are numbered from 1: they reach a peer in rising
 * order, so a receiver remembers them cheaply. Reserved numbers, for wills, begin at `RESERVED_FROM` and may be published at
 * any time after. Invariant: no two publications of a process have the same id; ids of an earlier life never come again,
 * because its incarnation does not.
 */
import type { Incarnation } from '../src/core/ids.ts'
import { RESERVED_FROM, type MessageId } from '../src/core/publication.ts'

export class MessageIds {
  #incarnation: Incarnation | undefined
  #last = 0
  #lastReserved = RESERVED_FROM - 1

  /** The node has joined under this incarnation. Before it there are no ids. */
  start(incarnation: Incarnation): void {
    this.#incarnation = incarnation
  }

  /** The last given by `next`; undefined before the first. */
  get last(): MessageId | undefined {
    if (this.#incarnation === undefined || this.#last === 0) return undefined
    return { incarnation: this.#incarnation, number: this.#last }
  }

  /** For a publication that is routed in this turn. */
  next(): MessageId | undefined {
    if (this.#incarnation === undefined) return undefined
    return { incarnation: this.#incarnation, number: ++this.#last }
  }

  /** For one that may be published later, by this node or another on its behalf. */
  reserve(): MessageId | undefined {
    if (this.#incarnation === undefined) return undefined
    return { incarnation: this.#incarnation, number: ++this.#lastReserved }
  }
}
