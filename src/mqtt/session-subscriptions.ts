/**
 * What one session is subscribed to: in the routing index, and in the journal when the session is kept there.
 *
 * It delivers nothing, and checks no filter; other nodes hear of it by `InterestListener`. Invariant: a subscription is in the
 * index exactly as long as it is here, and of a journaled session each change has been appended to the journal before its
 * client can be told.
 */
import type { LocalDelivery, LocalSubscription } from '../core/ports/routing.ts'
import type { QueuedRecord, SubscriptionRecord, TailMark } from '../core/ports/session-journal.ts'
import { topicMatches } from '../core/topic.ts'
import type { DeliveryQueue } from './delivery-queue.ts'
import type { MqttServices } from './mqtt-services.ts'
import type { SessionHistory } from './session-history.ts'
import { parseFilter } from './shared-filter.ts'

/** The session they belong to. */
interface Subscriber extends LocalDelivery {
  readonly isJournaled: boolean
  readonly departure: object | undefined
  readonly tails: readonly TailMark[]
  readonly history: Pick<SessionHistory, 'loosenTails'>
  readonly queue: Pick<DeliveryQueue, 'nextPosition'>
}

type SubscriptionServices = Pick<
  MqttServices,
  'journal' | 'router' | 'index' | 'interest' | 'options' | 'clock'
>

export class SessionSubscriptions {
  readonly #session: Subscriber
  readonly #services: SubscriptionServices
  /** By filter as subscribed, `$share/…` included. */
  readonly #byFilter = new Map<string, LocalSubscription>()
  /** Sum of `levelsBehindPlus`. */
  #wildcardLevels = 0
  #addedAtMs = -Infinity

  constructor(session: Subscriber, services: SubscriptionServices) {
    this.#session = session
    this.#services = services
  }

  get size(): number {
    return this.#byFilter.size
  }

  /** When the last one came here that was not here before, by the clock. */
  get addedAtMs(): number {
    return this.#addedAtMs
  }

  /** `filter`: as subscribed, `$share/…` included; so for all below. */
  get(filter: string): LocalSubscription | undefined {
    return this.#byFilter.get(filter)
  }

  /** By filter. */
  [Symbol.iterator](): Iterator<readonly [string, LocalSubscription]> {
    return this.#byFilter.entries()
  }

  /**
   * Whether one more with this filter, without `$share/…`, is within the bounds of one session. What the journal had, or
   * another node handed over, may be beyond them.
   */
  hasRoomFor(filter: string): boolean {
    const { subscriptionsMax, wildcardLevelsMax } = this.#services.options
    if (this.#byFilter.size >= subscriptionsMax) return false
    const levels = levelsBehindPlus(filter)
    return levels === 0 || this.#wildcardLevels + levels <= wildcardLevelsMax
  }

  /** What the journal had, or another node handed over. */
  restore(records: readonly SubscriptionRecord[]): void {
    for (const record of records) {
      if (record.isLeft === true) this.#services.router.memberLeaves(this.#localOf(record))
      else this.#index(record)
    }
  }

  /** Adds or replaces one. The journal's last change must be committed before the client is told. */
  add(wanted: Omit<SubscriptionRecord, 'fromPosition'>): LocalSubscription {
    const session = this.#session
    const before = this.#byFilter.get(wanted.filter)
    const isFollowed = session.tails.length > 0
    if (before === undefined && isFollowed) session.history.loosenTails()
    // What was published while its client had no such subscription is not for this one.
    const first = isFollowed ? session.queue.nextPosition : undefined
    const fromPosition = before === undefined ? first : before.fromPosition
    const subscription = fromPosition === undefined ? wanted : { ...wanted, fromPosition }
    if (session.isJournaled) this.#services.journal.putSubscription(session.clientId, subscription)
    return this.#index(subscription)
  }

  /** False when there was no such subscription. */
  remove(filter: string): boolean {
    const { clientId, isJournaled } = this.#session
    const subscription = this.#byFilter.get(filter)
    if (subscription === undefined) return false
    this.#byFilter.delete(filter)
    this.#unindex(subscription)
    if (isJournaled) this.#services.journal.deleteSubscription(clientId, filter)
    return true
  }

  /** Ends the shared ones here, while the session is leaving: another member gets what is still on its way, if there is one. */
  leaveGroups(): void {
    const { clientId, isJournaled } = this.#session
    for (const [filter, subscription] of this.#byFilter) {
      if (subscription.group === undefined) continue
      this.#unindex(subscription)
      this.#byFilter.delete(filter)
      this.#services.router.memberLeaves(subscription)
      if (!isJournaled) continue
      const { qos, noLocal, retainAsPublished, subscriptionIdentifiers } = subscription
      const [subscriptionIdentifier] = subscriptionIdentifiers
      const record = {
        filter,
        qos,
        noLocal,
        retainAsPublished,
        subscriptionIdentifier,
        isLeft: true,
      } as const
      this.#services.journal.putSubscription(clientId, record)
    }
  }

  /** Takes the session out of routing: nothing more is delivered to it. The journal is left to the caller. */
  unroute(): void {
    for (const subscription of this.#byFilter.values()) this.#unindex(subscription)
    this.#byFilter.clear()
    if (this.#session.departure !== undefined) this.#services.router.memberGone(this.#session)
  }

  /** By what kind the session wants what an earlier owner has for it, if any; its client may have ended those it came by. */
  kindFor({ position, publication: { topic } }: QueuedRecord): 'ordinary' | 'shared' | undefined {
    let wanted: 'shared' | undefined
    for (const { filter, group, fromPosition = 0 } of this.#byFilter.values()) {
      if (fromPosition > position || !topicMatches(filter, topic)) continue
      if (group === undefined) return 'ordinary'
      wanted = 'shared'
    }
    return wanted
  }

  #localOf(record: SubscriptionRecord): LocalSubscription {
    const parsed = parseFilter(record.filter)
    if (parsed === undefined) throw new Error(`the invalid filter ${record.filter} was granted`)
    const { subscriptionIdentifier, isLeft: _, ...options } = record
    return {
      ...options,
      ...parsed,
      subscriber: this.#session,
      subscriptionIdentifiers:
        subscriptionIdentifier === undefined ? NO_IDENTIFIERS : [subscriptionIdentifier],
    }
  }

  #index(record: SubscriptionRecord): LocalSubscription {
    const { index, interest, clock } = this.#services
    const subscription = this.#localOf(record)
    if (!this.#byFilter.has(record.filter)) {
      this.#wildcardLevels += levelsBehindPlus(subscription.filter)
      this.#addedAtMs = clock.now()
    }
    this.#byFilter.set(record.filter, subscription)
    if (index.add(subscription)) {
      const { filter, group } = subscription
      if (group === undefined) interest.added(filter)
      else interest.groupChanged(group, filter, index.memberCount(group, filter))
    }
    return subscription
  }

  #unindex({ filter, group }: LocalSubscription): void {
    const { index, interest } = this.#services
    this.#wildcardLevels -= levelsBehindPlus(filter)
    if (!index.remove(filter, group, this.#session)) return
    if (group === undefined) interest.removed(filter)
    else interest.groupChanged(group, filter, index.memberCount(group, filter))
  }
}

/**
 * Levels of a filter from its first `+` on; 0 without one. As many tree nodes of its own may be visited to match one topic; up
 * to there the topic itself decides on a single way, whatever other filters there are.
 */
function levelsBehindPlus(filter: string): number {
  const first = filter.indexOf('+')
  if (first === -1) return 0
  let levels = 1
  for (let at = filter.indexOf('/', first); at !== -1; at = filter.indexOf('/', at + 1)) levels++
  return levels
}

const NO_IDENTIFIERS: readonly number[] = []
