/**
 * What a session that has moved here remembers for a while: which publications it has, since routes lead to its old
 * owner and to this node at once, and whether the routes to this node are in force everywhere.
 *
 * Invariant: of two copies of a publication with an id the session gets one, whichever way they come, as long as no more
 * are remembered than `limits` allows for it and for the node; beyond that one may come twice.
 */
import type { Incarnation, NodeId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import type { Timer } from '../core/ports/clock.ts'
import type { KnownRecord } from '../core/ports/session-journal.ts'
import type { MessageId, Publication } from '../core/publication.ts'
import type { IngressFloors } from './ingress-floors.ts'
import type { IngressGaps } from './ingress-gaps.ts'

/** How many ids all sessions of the node may remember yet. */
export interface IdBudget {
  left: number
}

export class SessionArrival {
  /** The old owner need not stay in the routes for this session's sake. */
  isRouted = false
  /** That is being found out. */
  isAwaitingRoutes = false
  /** Nodes of which something that came directly may wait. */
  readonly senders = new Set<NodeId>()
  /** Something that came directly waits for what nodes that were gone may owe an earlier owner. */
  readonly onHeld: () => void
  readonly #budget: IdBudget
  readonly #ids = new Map<Incarnation, Set<number>>()
  #count = 0
  readonly #timers: Timer[] = []

  constructor(budget: IdBudget, onHeld: () => void) {
    this.#budget = budget
    this.onHeld = onHeld
  }

  /** Remembers the publication. True when the session has had it. */
  isRepeated({ id }: Pick<Publication, 'id'>): boolean {
    if (id === undefined) return false
    if (this.#ids.get(id.incarnation)?.has(id.number) === true) return true
    this.#remember(id)
    return false
  }

  /** Everything remembered. */
  *known(): Iterable<KnownRecord> {
    for (const [incarnation, numbers] of this.#ids)
      for (const number of numbers) yield { id: { incarnation, number } }
  }

  /** What the floors tell of is known by them. */
  forgetCovered(floors: IngressFloors, gaps: IngressGaps | undefined): void {
    for (const [incarnation, numbers] of this.#ids) {
      const upTo = floors.upTo(incarnation)
      // Mostly all of them, which are not taken out one by one.
      const left = new Set<number>()
      for (const number of numbers)
        if (number > upTo || gaps?.has({ incarnation, number }) === true) left.add(number)
      this.#count -= numbers.size - left.size
      this.#budget.left += numbers.size - left.size
      if (left.size > 0) this.#ids.set(incarnation, left)
      else this.#ids.delete(incarnation)
    }
  }

  /** A timer that means nothing after the end. */
  until(timer: Timer): void {
    this.#timers.push(timer)
  }

  /** What was to happen later does not. */
  cancelTimers(): void {
    for (const timer of this.#timers.splice(0)) timer.cancel()
  }

  end(): void {
    this.cancelTimers()
    this.#ids.clear()
    this.#budget.left += this.#count
    this.#count = 0
  }

  #remember({ incarnation, number }: MessageId): void {
    if (this.#count >= limits.tailIdsMax || this.#budget.left <= 0) return
    this.#count++
    this.#budget.left--
    const numbers = this.#ids.get(incarnation)
    if (numbers === undefined) this.#ids.set(incarnation, new Set([number]))
    else numbers.add(number)
  }
}
