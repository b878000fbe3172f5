/**
 * Whose publications lie in one peer's outbox, and where: what a publisher that moves to another node takes along.
 *
 * It keeps positions and one id per publisher, not publications. Publications of nobody in particular (for shared subscriptions,
 * whose messages come in any order) are left out. Invariant: a publisher is here exactly as long as something of its is.
 */
import type { ClientId } from '../src/core/ids.ts'
import type { MessageId } from '../src/core/publication.ts'

interface Entries {
  readonly positions: Set<number>
  /** Of the newest. */
  lastId: MessageId | undefined
}

export class OutboxPublishers {
  readonly #entries = new Map<ClientId, Entries>()

  add(publisher: ClientId, position: number, id: MessageId | undefined): void {
    if (publisher === '') return
    const entries = this.#entries.get(publisher)
    if (entries === undefined) {
      this.#entries.set(publisher, { positions: new Set([position]), lastId: id })
    } else {
      entries.positions.add(position)
      entries.lastId = id
    }
  }

  remove(publisher: ClientId, position: number): void {
    const positions = this.#entries.get(publisher)?.positions
    if (positions?.delete(position) === true && positions.size === 0) this.#entries.delete(publisher)
  }

  clear(): void {
    this.#entries.clear()
  }

  /** Of the newest publication of that publisher; undefined when there is none. */
  lastIdOf(publisher: ClientId): MessageId | undefined {
    return this.#entries.get(publisher)?.lastId
  }

  /** Where that publisher's publications are, in order; none for most. */
  positionsOf(publisher: ClientId): ReadonlySet<number> {
    return this.#entries.get(publisher)?.positions ?? NONE
  }
}

const NONE: ReadonlySet<number> = new Set()
