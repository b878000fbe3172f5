/**
 * The filters of this node's own clients, and who among them wants a topic.
 *
 * Filters without wildcards are looked up by name, the rest in a trie; answers are remembered per topic. It does not
 * deliver and does not know what a subscriber is. Invariants: a remembered answer is never older than the last change that
 * could concern its topic; an answer names each subscriber once, with its highest QoS.
 */
import type { LocalDelivery, LocalIndex, LocalSubscription } from '../src/core/ports/routing.ts'
import { hasWildcard } from '../src/core/topic.ts'
import { MatchCache } from './match-cache.ts'
import { TopicTrie } from './topic-trie.ts'

/** One subscription, or all of one filter's by subscriber: most filters have a single one. */
type FilterSubscriptions = LocalSubscription | Map<LocalDelivery, LocalSubscription>

const NOBODY: readonly LocalSubscription[] = []

export class TrieLocalIndex implements LocalIndex {
  readonly #exact = new Map<string, FilterSubscriptions>()
  readonly #wildcards = new TopicTrie<FilterSubscriptions>()
  readonly #wildcardFilters = new Set<string>()
  readonly #cache = new MatchCache<LocalSubscription>()
  #subscriptionCount = 0
  readonly #matched: FilterSubscriptions[] = []

  get filterCount(): number {
    return this.#exact.size + this.#wildcardFilters.size
  }

  get subscriptionCount(): number {
    return this.#subscriptionCount
  }

  *filters(): Iterable<string> {
    yield* this.#exact.keys()
    yield* this.#wildcardFilters
  }

  add(subscription: LocalSubscription): boolean {
    const { filter, subscriber } = subscription
    const held = this.#get(filter)
    this.#invalidate(filter)
    if (held === undefined) {
      this.#set(filter, subscription)
      this.#subscriptionCount++
      return true
    }
    if (held instanceof Map) {
      if (!held.has(subscriber)) this.#subscriptionCount++
      held.set(subscriber, subscription)
    } else if (held.subscriber === subscriber) {
      this.#set(filter, subscription)
    } else {
      const both = new Map<LocalDelivery, LocalSubscription>()
      this.#set(filter, both.set(held.subscriber, held).set(subscriber, subscription))
      this.#subscriptionCount++
    }
    return false
  }

  remove(filter: string, subscriber: LocalDelivery): boolean {
    const held = this.#get(filter)
    if (held === undefined) return false
    if (held instanceof Map) {
      if (!held.delete(subscriber)) return false
    } else if (held.subscriber !== subscriber) {
      return false
    }
    this.#subscriptionCount--
    this.#invalidate(filter)
    if (held instanceof Map && held.size > 0) return false
    this.#delete(filter)
    return true
  }

  match(topic: string): readonly LocalSubscription[] {
    const cached = this.#cache.get(topic)
    if (cached !== undefined) return cached
    const result = this.#find(topic)
    this.#cache.set(topic, result)
    return result
  }

  #find(topic: string): readonly LocalSubscription[] {
    const matched = this.#matched
    const exact = this.#exact.get(topic)
    if (exact !== undefined) matched.push(exact)
    this.#wildcards.match(topic, matched)
    const [first] = matched
    if (first === undefined) return NOBODY
    const result = matched.length === 1 ? subscriptionsOf(first) : bestPerSubscriber(matched)
    matched.length = 0
    return result
  }

  #invalidate(filter: string): void {
    if (hasWildcard(filter)) this.#cache.clear()
    else this.#cache.delete(filter)
  }

  #get(filter: string): FilterSubscriptions | undefined {
    return hasWildcard(filter) ? this.#wildcards.get(filter) : this.#exact.get(filter)
  }

  #set(filter: string, subscriptions: FilterSubscriptions): void {
    if (hasWildcard(filter)) {
      this.#wildcards.set(filter, subscriptions)
      this.#wildcardFilters.add(filter)
    } else {
      this.#exact.set(filter, subscriptions)
    }
  }

  #delete(filter: string): void {
    if (hasWildcard(filter)) {
      this.#wildcards.delete(filter)
      this.#wildcardFilters.delete(filter)
    } else {
      this.#exact.delete(filter)
    }
  }
}

function subscriptionsOf(entry: FilterSubscriptions): readonly LocalSubscription[] {
  return entry instanceof Map ? [...entry.values()] : [entry]
}

function bestPerSubscriber(matched: readonly FilterSubscriptions[]): readonly LocalSubscription[] {
  const best = new Map<LocalDelivery, LocalSubscription>()
  for (const entry of matched) {
    for (const subscription of subscriptionsOf(entry)) {
      const other = best.get(subscription.subscriber)
      if (other === undefined || other.qos < subscription.qos) best.set(subscription.subscriber, subscription)
    }
  }
  return [...best.values()]
}
