/**
 * The filters of this node's own clients, and who among them wants a topic.
 *
 * Answers are remembered per topic. It does not deliver and does not know what a subscriber is. Invariants: a remembered
 * answer is never older than the last change that could concern its topic; an answer names each subscriber once, however
 * many of its subscriptions match; shared subscriptions are kept apart from ordinary ones.
 */
import type {
  LocalDelivery,
  LocalGroup,
  LocalIndex,
  LocalMatch,
  LocalSubscription,
  SharedGroup,
} from '../src/core/ports/routing.ts'
import { hasWildcard } from '../src/core/topic.ts'
import { FilterTable } from './filter-table.ts'
import { GroupMembers } from './group-members.ts'
import { MatchCache } from './match-cache.ts'

/** One subscription, or all of one filter's by subscriber: most filters have a single one. */
type FilterSubscriptions = LocalSubscription | Map<LocalDelivery, LocalSubscription>

const NOBODY: readonly LocalMatch[] = []
const NO_GROUPS: readonly SharedGroup[] = []

export class TrieLocalIndex implements LocalIndex {
  readonly #ordinary: FilterTable<FilterSubscriptions>
  /** By filter, then by group. */
  readonly #shared: FilterTable<Map<string, GroupMembers>>
  readonly #cache = new MatchCache<LocalMatch>()
  readonly #sharedCache = new MatchCache<SharedGroup>()
  #subscriptionCount = 0
  #groupCount = 0
  readonly #matched: FilterSubscriptions[] = []

  /** `secret`: 32 random bits, so that clients cannot choose filters that make the tree slow. */
  constructor(secret = 0) {
    this.#ordinary = new FilterTable(secret)
    this.#shared = new FilterTable(secret)
  }

  get filterCount(): number {
    return this.#ordinary.size + this.#groupCount
  }

  /** Distinct shared subscriptions. */
  get groupCount(): number {
    return this.#groupCount
  }

  get subscriptionCount(): number {
    return this.#subscriptionCount
  }

  filters(): Iterable<string> {
    return this.#ordinary.filters()
  }

  *groups(): Iterable<LocalGroup> {
    for (const filter of this.#shared.filters()) {
      for (const [group, members] of this.#shared.get(filter) ?? []) {
        yield { group, filter, members: members.size }
      }
    }
  }

  memberCount(group: string, filter: string): number {
    return this.#shared.get(filter)?.get(group)?.size ?? 0
  }

  /** The highest `GroupMembers.unevenness` of all; 0 when none has any. A walk over all shared subscriptions: for displays. */
  sharedUnevenness(): number {
    let highest = 0
    for (const filter of this.#shared.filters()) {
      for (const members of this.#shared.get(filter)?.values() ?? []) {
        highest = Math.max(highest, members.unevenness ?? 0)
      }
    }
    return highest
  }

  add(subscription: LocalSubscription): boolean {
    const { group } = subscription
    return group === undefined ? this.#addOrdinary(subscription) : this.#addShared(subscription, group)
  }

  remove(filter: string, group: string | undefined, subscriber: LocalDelivery): boolean {
    return group === undefined
      ? this.#removeOrdinary(filter, subscriber)
      : this.#removeShared(filter, group, subscriber)
  }

  match(topic: string): readonly LocalMatch[] {
    const cached = this.#cache.get(topic)
    if (cached !== undefined) return cached
    const result = this.#find(topic)
    this.#cache.set(topic, result)
    return result
  }

  matchShared(topic: string): readonly SharedGroup[] {
    if (this.#shared.size === 0) return NO_GROUPS
    const cached = this.#sharedCache.get(topic)
    if (cached !== undefined) return cached
    const result = this.groupsFor(topic)
    this.#sharedCache.set(topic, result)
    return result
  }

  /** Distinct filters with wildcards of ordinary subscriptions. */
  get wildcardFilters(): ReadonlySet<string> {
    return this.#ordinary.wildcardFilters
  }

  /** Whether anybody has an ordinary subscription with exactly this filter. */
  hasFilter(filter: string): boolean {
    return this.#ordinary.get(filter) !== undefined
  }

  /** As `match` finds them, but every subscription for itself, and nothing is remembered. */
  *subscriptionsFor(topic: string): Iterable<LocalSubscription> {
    const matched: FilterSubscriptions[] = []
    this.#ordinary.match(topic, matched)
    for (const entry of matched) yield* subscriptionsOf(entry)
  }

  /** As `matchShared`; nothing is remembered. */
  groupsFor(topic: string): readonly SharedGroup[] {
    const matched: Map<string, GroupMembers>[] = []
    this.#shared.match(topic, matched)
    return matched.flatMap(groups => [...groups.values()])
  }

  /** True when the filter is new. */
  #addOrdinary(subscription: LocalSubscription): boolean {
    const { filter, subscriber } = subscription
    invalidate(this.#cache, filter)
    const held = this.#ordinary.get(filter)
    if (held === undefined) {
      this.#ordinary.set(filter, subscription)
      this.#subscriptionCount++
      return true
    }
    if (held instanceof Map) {
      if (!held.has(subscriber)) this.#subscriptionCount++
      held.set(subscriber, subscription)
    } else if (held.subscriber === subscriber) {
      this.#ordinary.set(filter, subscription)
    } else {
      const both = new Map<LocalDelivery, LocalSubscription>()
      this.#ordinary.set(filter, both.set(held.subscriber, held).set(subscriber, subscription))
      this.#subscriptionCount++
    }
    return false
  }

  /** True when the filter is gone. */
  #removeOrdinary(filter: string, subscriber: LocalDelivery): boolean {
    const held = this.#ordinary.get(filter)
    if (held === undefined) return false
    if (held instanceof Map) {
      if (!held.delete(subscriber)) return false
    } else if (held.subscriber !== subscriber) {
      return false
    }
    this.#subscriptionCount--
    invalidate(this.#cache, filter)
    if (held instanceof Map && held.size > 0) return false
    this.#ordinary.delete(filter)
    return true
  }

  /** True when the group has a member more. */
  #addShared(subscription: LocalSubscription, group: string): boolean {
    const { filter } = subscription
    let groups = this.#shared.get(filter)
    if (groups === undefined) {
      groups = new Map()
      this.#shared.set(filter, groups)
    }
    let members = groups.get(group)
    if (members === undefined) {
      members = new GroupMembers(group, filter)
      groups.set(group, members)
      this.#groupCount++
      invalidate(this.#sharedCache, filter)
    }
    if (!members.put(subscription)) return false
    this.#subscriptionCount++
    return true
  }

  /** True when the group has a member less. */
  #removeShared(filter: string, group: string, subscriber: LocalDelivery): boolean {
    const groups = this.#shared.get(filter)
    const members = groups?.get(group)
    if (groups === undefined || members?.delete(subscriber) !== true) return false
    this.#subscriptionCount--
    if (members.size > 0) return true
    groups.delete(group)
    this.#groupCount--
    if (groups.size === 0) this.#shared.delete(filter)
    invalidate(this.#sharedCache, filter)
    return true
  }

  #find(topic: string): readonly LocalMatch[] {
    const matched = this.#matched
    this.#ordinary.match(topic, matched)
    const [first] = matched
    if (first === undefined) return NOBODY
    const result = matched.length === 1 ? subscriptionsOf(first) : mergePerSubscriber(matched)
    matched.length = 0
    return result
  }
}

function invalidate(cache: MatchCache<unknown>, filter: string): void {
  if (hasWildcard(filter)) cache.clear()
  else cache.delete(filter)
}

function subscriptionsOf(entry: FilterSubscriptions): readonly LocalSubscription[] {
  return entry instanceof Map ? [...entry.values()] : [entry]
}

function mergePerSubscriber(matched: readonly FilterSubscriptions[]): readonly LocalMatch[] {
  const merged = new Map<LocalDelivery, LocalMatch>()
  for (const entry of matched) {
    for (const subscription of subscriptionsOf(entry)) {
      const other = merged.get(subscription.subscriber)
      merged.set(subscription.subscriber, other === undefined ? subscription : merge(other, subscription))
    }
  }
  return [...merged.values()]
}

function merge(a: LocalMatch, b: LocalMatch): LocalMatch {
  const best = a.qos >= b.qos ? a : b
  return {
    subscriber: a.subscriber,
    qos: best.qos,
    noLocal: a.noLocal && b.noLocal,
    retainAsPublished: best.retainAsPublished,
    subscriptionIdentifiers: [...a.subscriptionIdentifiers, ...b.subscriptionIdentifiers],
  }
}
