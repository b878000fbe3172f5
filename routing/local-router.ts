/**
 * Hands publications to the matching sessions of this node, a publication that has come by another way before not again.
 *
 * It asks the index, and remembers ids; it forwards nothing. Invariant: what it answers covers everything that anybody to
 * whom the publication was delivered must have on disk, also when the delivery was an earlier one.
 */
import type { Incarnation, NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type {
  LocalDelivery,
  LocalIndex,
  LocalSubscription,
  SharedGroup,
  SharedTarget,
} from '../src/core/ports/routing.ts'
import type { SeenJournal } from '../src/core/ports/seen-journal.ts'
import type { SessionJournal } from '../src/core/ports/session-journal.ts'
import { isReserved, type MessageId, type Publication } from '../src/core/publication.ts'
import { topicMatches } from '../src/core/topic.ts'
import { everyGroup, isEveryGroup, isLeftOut } from './every-group.ts'
import { SeenMessages } from './seen-messages.ts'
import type { SharedTickets } from './shared-tickets.ts'
import { TracePoint } from './trace-point.ts'

export interface LocalRouterStats {
  /** Publications not delivered because the same id had come by another way. */
  duplicateIds: number
}

type RouterJournal = Pick<SessionJournal, 'appended' | 'atomically'>

export class LocalRouter {
  readonly stats: LocalRouterStats = { duplicateIds: 0 }
  /** Says whether the publication at hand is traced. */
  readonly point = new TracePoint()
  /** Subscribers the last ordinary delivery matched; -1 when it was a duplicate. */
  matchCount = 0
  /** The other node of which a publication is at hand. */
  sender: NodeId | undefined
  /** Members whose sessions are on their way to another node. */
  readonly #leaving = new Set<LocalSubscription & SharedTarget>()
  readonly #index: Pick<LocalIndex, 'match' | 'matchShared'>
  readonly #journal: RouterJournal
  readonly #tickets: SharedTickets
  readonly #seenJournal: SeenJournal
  readonly #seen = new SeenMessages()
  /** Ids with the shared subscription, of what was delivered to members; the oldest are forgotten. */
  readonly #seenShared = new Set<string>()

  constructor(
    index: Pick<LocalIndex, 'match' | 'matchShared'>,
    journal: RouterJournal,
    seenJournal: SeenJournal,
    tickets: SharedTickets,
  ) {
    this.#index = index
    this.#journal = journal
    this.#seenJournal = seenJournal
    this.#tickets = tickets
  }

  /** Finds what an earlier life had delivered, and answers which one was the last. Before anything is delivered. */
  async restore(): Promise<Incarnation | undefined> {
    const { ids, life } = await this.#seenJournal.load()
    for (const id of ids) this.#seen.add(id)
    return life
  }

  /** The node has joined under this incarnation. After `restore`. */
  start(incarnation: Incarnation): void {
    this.#seenJournal.begin(incarnation)
  }

  /**
   * To everybody here, a member of each shared subscription included. Returns the journal sequence that must be committed
   * before the publication is acknowledged; 0 = none.
   */
  deliver(publication: Publication): number {
    const storeSequence = this.deliverOrdinary(publication)
    return Math.max(storeSequence, this.#deliverToGroups(publication, everyGroup))
  }

  /** As `deliver`, but not to shared subscriptions. */
  deliverOrdinary(publication: Publication): number {
    const before = this.#journal.appended
    const { publisher, topic } = publication
    const matches = this.#index.match(topic)
    this.matchCount = matches.length
    for (let i = 0; i < matches.length; i++) {
      const match = matches[i] as (typeof matches)[number]
      // No Local [MQTT-3.8.3-3].
      if (match.noLocal && publisher !== '' && match.subscriber.clientId === publisher) continue
      match.subscriber.deliver(publication, match)
    }
    if (this.point.current !== undefined) this.point.current.delivered(matches, publisher)
    const after = this.#journal.appended
    return after > before ? after : 0
  }

  /**
   * As `deliverOrdinary`, for a publication that has an id, from a peer's `sender` or, undefined, from this node on behalf of
   * whoever gave the id. A sender's own ids are numbered per link already and are taken as new, unless they are reserved,
   * or later ones were here before: those others may have published on its behalf. At QoS 2 every id is looked up, and kept with what it brought to disk: this
   * node may have died before the sender heard that it arrived. So are reserved ids, this node's own as well: the leader
   * repeats what it does not know to have been published.
   */
  deliverOnce(publication: Publication, id: MessageId, sender: Incarnation | undefined): number {
    const { qos } = publication
    const wasRelayed = isRelayed(id, sender)
    const mayBeRepeated = qos === 2 || wasRelayed || this.#seen.isOvertaken(id)
    if (mayBeRepeated && this.#seen.has(id)) {
      this.stats.duplicateIds++
      this.matchCount = -1
      this.point.current?.span.event('duplicate')
      this.deliverLacking(publication)
      // The earlier delivery may not be on disk yet.
      return this.#journal.appended
    }
    this.#seen.add(id, wasRelayed)
    if (!isReserved(id) && (qos < 2 || sender === undefined)) return this.deliverOrdinary(publication)
    let storeSequence = 0
    this.#journal.atomically(() => {
      storeSequence = this.deliverOrdinary(publication)
      if (storeSequence > 0) this.#seenJournal.remember(id)
    })
    return storeSequence
  }

  /** To sessions that have come here since this node delivered it, and may lack it. Returns as `deliver`. */
  deliverLacking(publication: Publication): number {
    const before = this.#journal.appended
    for (const match of this.#index.match(publication.topic)) {
      if (match.noLocal && match.subscriber.clientId === publication.publisher) continue
      match.subscriber.deliverLacking?.(publication, match)
    }
    const after = this.#journal.appended
    return after > before ? after : 0
  }

  /**
   * As `deliverOnce`, for a client that repeats here what an earlier node of its session took, within a change of the journal:
   * that node may deliver it, too, in this life of the process or the next.
   */
  deliverRepeated(publication: Publication, id: MessageId): number {
    const storeSequence = this.deliverOnce(publication, id, undefined)
    return this.matchCount > 0 && storeSequence > 0 ? this.#seenJournal.remember(id) : storeSequence
  }

  /** That was delivered here: should it come from another node, in the next life too, it is a duplicate. */
  noteDelivered(id: MessageId): void {
    if (this.#seen.has(id)) return
    this.#seen.add(id)
    this.#seenJournal.remember(id)
  }

  /** As `PublishRouter.memberLeaves`. */
  memberLeaves(member: LocalSubscription): void {
    const { group } = member
    if (group !== undefined) this.#leaving.add({ ...member, group })
  }

  memberGone(subscriber: LocalDelivery): void {
    for (const member of this.#leaving) if (member.subscriber === subscriber) this.#leaving.delete(member)
  }

  /** Of other incarnations, as `PublishRouter.receivedUpTo`; what came for a shared subscription alone is left out. */
  receivedUpTo(): MessageId[] {
    return this.#seen.highest()
  }

  /** Of other incarnations, as `PublishRouter.seenUpTo`. */
  seenUpTo(): MessageId[] {
    return this.#seen.highestOfAll()
  }

  receivedBeyond(): MessageId[] {
    return this.#seen.beyond()
  }

  /** Shared subscriptions here that match. Valid until the next change, not to be modified. */
  groups(topic: string): readonly SharedGroup[] {
    return this.#index.matchShared(topic)
  }

  /** To the member whose turn it is, or whom the strategy has for it. Returns as `deliver`. */
  deliverToMember(publication: Publication, group: SharedGroup): number {
    const before = this.#journal.appended
    const member = group.next(this.#tickets.draw(publication))
    member?.subscriber.deliver(publication, member)
    if (member !== undefined && this.point.current !== undefined) {
      this.point.current.deliveredToMember(member.subscriber.clientId, group)
    }
    const after = this.#journal.appended
    return after > before ? after : 0
  }

  /**
   * As `deliverOnce`, to one member of a shared subscription, or of every one for `everyGroup`. Undefined when there is no
   * member here.
   */
  deliverToGroup(
    publication: Publication,
    target: SharedTarget,
    sender: Incarnation | undefined,
  ): number | undefined {
    const { id } = publication
    const key = id === undefined ? '' : `${id.incarnation}/${id.number}/${target.group}/${target.filter}`
    if (id !== undefined && isRelayed(id, sender) && this.#seenShared.has(key)) {
      this.stats.duplicateIds++
      return this.#journal.appended
    }
    const delivered = this.#deliverToTarget(publication, target)
    const storeSequence =
      sender !== undefined && isEveryGroup(target)
        ? Math.max(delivered ?? 0, this.#deliverToLeaving(publication, target))
        : delivered
    // What is refused now may come again, from another life of its sender, when there is a member.
    if (id !== undefined && storeSequence !== undefined) this.#rememberShared(key)
    return storeSequence
  }

  #deliverToTarget(publication: Publication, target: SharedTarget): number | undefined {
    if (isEveryGroup(target)) return this.#deliverToGroups(publication, target)
    const { group: name, filter } = target
    for (const group of this.#index.matchShared(publication.topic)) {
      if (group.group === name && group.filter === filter) return this.deliverToMember(publication, group)
    }
    return undefined
  }

  #deliverToGroups(publication: Publication, target: SharedTarget): number {
    let storeSequence = 0
    for (const group of this.#index.matchShared(publication.topic)) {
      if (isLeftOut(group, target)) continue
      storeSequence = Math.max(storeSequence, this.deliverToMember(publication, group))
    }
    return storeSequence
  }

  /** To members of groups that have no other one here: where they are now, who sent it did not know. */
  #deliverToLeaving(publication: Publication, target: SharedTarget): number {
    if (this.#leaving.size === 0) return 0
    const before = this.#journal.appended
    const served: SharedTarget[] = [...this.#index.matchShared(publication.topic)]
    for (const member of this.#leaving) {
      const isServed = served.some(({ group, filter }) => group === member.group && filter === member.filter)
      if (isServed || isLeftOut(member, target) || !topicMatches(member.filter, publication.topic)) continue
      served.push(member)
      member.subscriber.deliver(publication, member)
    }
    const after = this.#journal.appended
    return after > before ? after : 0
  }

  #rememberShared(key: string): void {
    this.#seenShared.add(key)
    if (this.#seenShared.size <= limits.seenNumbersMax) return
    for (const oldest of this.#seenShared) {
      this.#seenShared.delete(oldest)
      break
    }
  }
}

function isRelayed(id: MessageId, sender: Incarnation | undefined): boolean {
  return id.incarnation !== sender || isReserved(id)
}
