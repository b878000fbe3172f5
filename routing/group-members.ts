import type { LocalDelivery, LocalSubscription, SharedGroup } from '../src/core/ports/routing.ts'

/**
 * The members of one shared subscription on this node, served in turn: first those that can take a message right now, and
 * when there is none, the others, whose sessions keep it for them.
 */
export class GroupMembers implements SharedGroup {
  readonly group: string
  readonly filter: string
  readonly #members: LocalSubscription[] = []
  #turn = 0

  constructor(group: string, filter: string) {
    this.group = group
    this.filter = filter
  }

  get size(): number {
    return this.#members.length
  }

  /** Adds, or replaces the same subscriber's. True when it is new. */
  put(subscription: LocalSubscription): boolean {
    const index = this.#indexOf(subscription.subscriber)
    if (index === -1) this.#members.push(subscription)
    else this.#members[index] = subscription
    return index === -1
  }

  /** False when it is not a member. */
  delete(subscriber: LocalDelivery): boolean {
    const index = this.#indexOf(subscriber)
    if (index === -1) return false
    this.#members.splice(index, 1)
    if (index < this.#turn) this.#turn--
    return true
  }

  next(): LocalSubscription | undefined {
    const index = this.#nextIndex()
    if (index === -1) return undefined
    this.#turn = (index + 1) % this.#members.length
    return this.#members[index]
  }

  peek(): LocalSubscription | undefined {
    return this.#members[this.#nextIndex()]
  }

  /** -1 when there is no member. */
  #nextIndex(): number {
    const count = this.#members.length
    if (count === 0) return -1
    for (let i = 0; i < count; i++) {
      const index = (this.#turn + i) % count
      if (this.#members[index]?.subscriber.canTakeShared === true) return index
    }
    return this.#turn % count
  }

  #indexOf(subscriber: LocalDelivery): number {
    return this.#members.findIndex(member => member.subscriber === subscriber)
  }
}
