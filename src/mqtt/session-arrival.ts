/**
 * What a session that has moved here remembers for a while: which publications it has, since routes lead to its old
 * owner and to this node at once, and whether the routes to this node are in force everywhere.
 *
 * Invariant: of two copies of a publication with an id the session gets one, whichever way they come, as long as no more
 * are remembered than `limits` allows for it and for the node; beyond that one may come twice.
 */
import type { Incarnation } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import type { Timer } from '../core/ports/clock.ts'
import type { MessageId, Publication } from '../core/publication.ts'

/** How many ids all sessions of the node may remember yet. */
export interface IdBudget {
  left: number
}

export class SessionArrival {
  /** The old owner need not stay in the routes for this session's sake. */
  isRouted = false
  /** That is being found out. */
  isAwaitingRoutes = false
  readonly #budget: IdBudget
  readonly #ids = new Map<Incarnation, Set<number>>()
  #count = 0
  readonly #timers: Timer[] = []

  constructor(budget: IdBudget) {
    this.#budget = budget
  }

  /** Remembers the publication. True when it was known. */
  isRepeated({ id }: Pick<Publication, 'id'>): boolean {
    if (id === undefined) return false
    let numbers = this.#ids.get(id.incarnation)
    if (numbers?.has(id.number) === true) return true
    if (this.#count >= limits.tailIdsMax || this.#budget.left <= 0) return false
    if (numbers === undefined) this.#ids.set(id.incarnation, (numbers = new Set()))
    numbers.add(id.number)
    this.#count++
    this.#budget.left--
    return false
  }

  /** Everything remembered. */
  *known(): Iterable<MessageId> {
    for (const [incarnation, numbers] of this.#ids)
      for (const number of numbers) yield { incarnation, number }
  }

  /** These are known by other means. */
  forget(isKnown: (id: MessageId) => boolean): void {
    for (const [incarnation, numbers] of this.#ids) {
      for (const number of numbers) if (isKnown({ incarnation, number })) this.#drop(numbers, number)
    }
  }

  /** A timer that means nothing after the end. */
  until(timer: Timer): void {
    this.#timers.push(timer)
  }

  end(): void {
    for (const timer of this.#timers.splice(0)) timer.cancel()
    this.#ids.clear()
    this.#budget.left += this.#count
    this.#count = 0
  }

  #drop(numbers: Set<number>, number: number): void {
    numbers.delete(number)
    this.#count--
    this.#budget.left++
  }
}
