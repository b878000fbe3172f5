import { limits } from '../src/core/limits.ts'
import type { LocalDelivery, LocalSubscription, SharedGroup } from '../src/core/ports/routing.ts'

/**
 * The members of one shared subscription on this node, in the order of their client ids: first those that can take a message
 * right now, in turn or by the number that is given; when there is none, the others, whose sessions keep it for them.
 */
export class GroupMembers implements SharedGroup {
  readonly group: string
  readonly filter: string
  readonly #members: LocalSubscription[] = []
  #turn = 0
  /** How many of the latest messages each member was given, and all of them together; begun anew with every change of members. */
  readonly #given: number[] = []
  #givenTotal = 0

  constructor(group: string, filter: string) {
    this.group = group
    this.filter = filter
  }

  get size(): number {
    return this.#members.length
  }

  /** Adds, or replaces the same subscriber's. True when it is new. */
  put(subscription: LocalSubscription): boolean {
    const known = this.#indexOf(subscription.subscriber)
    if (known !== -1) {
      this.#members[known] = subscription
      return false
    }
    const index = this.#placeOf(subscription.subscriber.clientId)
    this.#members.splice(index, 0, subscription)
    this.#given.push(0)
    this.#countAnew()
    if (index < this.#turn) this.#turn++
    return true
  }

  /** False when it is not a member. */
  delete(subscriber: LocalDelivery): boolean {
    const index = this.#indexOf(subscriber)
    if (index === -1) return false
    this.#members.splice(index, 1)
    this.#given.pop()
    this.#countAnew()
    if (index < this.#turn) this.#turn--
    return true
  }

  next(ticket?: number): LocalSubscription | undefined {
    const index = this.#nextIndex(ticket ?? this.#turn)
    if (index === -1) return undefined
    if (ticket === undefined) this.#turn = (index + 1) % this.#members.length
    this.#given[index] = (this.#given[index] as number) + 1
    if (++this.#givenTotal >= limits.sharedTallyPerMemberMax * this.#members.length) this.#forgetHalf()
    return this.#members[index]
  }

  /**
   * The largest share one member had of the latest messages, divided by an even share among those that can take one now: 1 is
   * even, and when one of them gets everything it is their number. Undefined while there are fewer than two of them, or too few
   * messages since members last came or went.
   */
  get unevenness(): number | undefined {
    if (this.#givenTotal < limits.sharedTallyPerMemberMin * this.#members.length) return undefined
    let able = 0
    for (const { subscriber } of this.#members) if (subscriber.canTakeShared) able++
    if (able < 2) return undefined
    let most = 0
    for (const given of this.#given) most = Math.max(most, given)
    return (most * able) / this.#givenTotal
  }

  peek(ticket?: number): LocalSubscription | undefined {
    return this.#members[this.#nextIndex(ticket ?? this.#turn)]
  }

  /** The first from there on that can take a message, or the one that is there. -1 when there is no member. */
  #nextIndex(from: number): number {
    const count = this.#members.length
    if (count === 0) return -1
    const first = from % count
    for (let i = 0; i < count; i++) {
      const index = (first + i) % count
      if (this.#members[index]?.subscriber.canTakeShared === true) return index
    }
    return first
  }

  /** Of what is long past, so that the present counts. */
  #forgetHalf(): void {
    this.#givenTotal = 0
    for (let i = 0; i < this.#given.length; i++) {
      const half = (this.#given[i] as number) >>> 1
      this.#given[i] = half
      this.#givenTotal += half
    }
  }

  #countAnew(): void {
    this.#given.fill(0)
    this.#givenTotal = 0
  }

  /** Behind all whose client id is not higher. */
  #placeOf(clientId: string): number {
    let low = 0
    let high = this.#members.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#members[middle] as LocalSubscription).subscriber.clientId <= clientId) low = middle + 1
      else high = middle
    }
    return low
  }

  #indexOf(subscriber: LocalDelivery): number {
    return this.#members.findIndex(member => member.subscriber === subscriber)
  }
}
