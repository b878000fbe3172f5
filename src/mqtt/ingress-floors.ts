/**
 * Up to which number a session that has moved has had each node's publications: a direct copy below is a late one.
 *
 * Publications of one incarnation reach a node in the order of their numbers, so what an old owner had received says it all.
 * It knows nothing of reserved numbers, nor of shared subscriptions, whose messages may come in any order. Invariant: floors
 * only rise; beyond `limits.floorsMax` incarnations those of the oldest are forgotten.
 */
import type { Incarnation } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import { RESERVED_FROM, type MessageId } from '../core/publication.ts'

export class IngressFloors {
  readonly #numbers = new Map<Incarnation, number>()

  /** Above the floors; the oldest are forgotten. */
  #beyond: readonly MessageId[]

  constructor(floors: Iterable<MessageId> = [], beyond: readonly MessageId[] = []) {
    this.#beyond = beyond
    this.raise(floors)
  }

  /** It has had these, too. */
  add(ids: readonly MessageId[]): void {
    const added = ids.filter(id => !this.covers(id))
    if (added.length > 0) this.#beyond = [...this.beyond(), ...added].slice(-limits.floorsBeyondMax)
  }

  raise(floors: Iterable<MessageId>): void {
    for (const { incarnation, number } of floors) {
      if (number >= RESERVED_FROM) continue
      this.#numbers.set(incarnation, Math.max(number, this.#numbers.get(incarnation) ?? 0))
    }
    if (this.#numbers.size <= limits.floorsMax) return
    const oldestFirst = [...this.#numbers.keys()].sort((a, b) => a - b)
    for (const incarnation of oldestFirst.slice(0, -limits.floorsMax)) this.#numbers.delete(incarnation)
  }

  /** Whether the session has had it. */
  covers({ incarnation, number }: MessageId): boolean {
    if (number <= this.upTo(incarnation)) return true
    return this.#beyond.some(id => id.number === number && id.incarnation === incarnation)
  }

  /** Single ones above the last number of their life. */
  beyond(): readonly MessageId[] {
    return this.#beyond.filter(({ incarnation, number }) => number > this.upTo(incarnation))
  }

  /** The last number of that life that it has had, 0 if none. */
  upTo(incarnation: Incarnation): number {
    return this.#numbers.get(incarnation) ?? 0
  }

  list(): readonly MessageId[] {
    return Array.from(this.#numbers, ([incarnation, number]) => ({ incarnation, number }))
  }
}
