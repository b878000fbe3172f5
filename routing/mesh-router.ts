/**
 * Routes a PUBLISH, of a client or a will: to this node's sessions, to every node that may have a subscriber, and to one
 * member of each shared subscription, wherever it is.
 *
 * It gives publications at QoS ≥ 1 their id. One hop at most: what came from another node is never routed on. Invariant: as
 * far as this node knows the others' interest, each shared subscription gets a publication from exactly one node.
 */
import type { ClientId, Incarnation, NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type {
  Acceptance,
  Debt,
  Forwarder,
  LocalDelivery,
  LocalSubscription,
  PublishRouter,
  RemoteGroup,
  RemoteIndex,
  SharedGroup,
  SharedTarget,
} from '../src/core/ports/routing.ts'
import { isReserved, type MessageId, type Publication } from '../src/core/publication.ts'
import { everyGroup, everyGroupBut, isEveryGroup } from './every-group.ts'
import type { LocalRouter } from './local-router.ts'
import { MessageIds } from './message-ids.ts'
import type { PublishTracer } from './publish-tracer.ts'
import type { MatchedGroup, SharedGroups } from './shared-groups.ts'

type RouterRemote = Pick<RemoteIndex, 'match' | 'matchShared' | 'unknownNodes'>
type RouterForwarder = Pick<Forwarder, 'forward' | 'forwardToGroup' | 'members' | 'takeOver'>

/** Publications by where their ordinary subscribers are, as far as known here. */
export interface RoutedCounts {
  nowhere: number
  here: number
  elsewhere: number
  both: number
}

export class MeshRouter implements PublishRouter {
  readonly stats: RoutedCounts = { nowhere: 0, here: 0, elsewhere: 0, both: 0 }
  readonly #local: LocalRouter
  readonly #remote: RouterRemote
  readonly #forwarder: RouterForwarder
  readonly #shared: SharedGroups
  readonly #ids = new MessageIds()

  constructor(local: LocalRouter, remote: RouterRemote, forwarder: RouterForwarder, shared: SharedGroups) {
    this.#local = local
    this.#remote = remote
    this.#forwarder = forwarder
    this.#shared = shared
  }

  /** The node has joined: publications get ids from now on. */
  start(incarnation: Incarnation): void {
    this.#ids.start(incarnation)
    this.#local.start(incarnation)
  }

  reserveId(): MessageId | undefined {
    return this.#ids.reserve()
  }

  receivedUpTo(): readonly MessageId[] {
    return this.#withOwn(this.#local.receivedUpTo())
  }

  seenUpTo(): readonly MessageId[] {
    return this.#withOwn(this.#local.seenUpTo())
  }

  receivedBeyond(): readonly MessageId[] {
    return this.#local.receivedBeyond()
  }

  #withOwn(others: readonly MessageId[]): readonly MessageId[] {
    const { last } = this.#ids
    return last === undefined ? others : [last, ...others.filter(id => id.incarnation !== last.incarnation)]
  }

  publish(publication: Publication, acceptance: Acceptance | undefined): void {
    const { tracer } = this.#local.point
    if (tracer === undefined) this.#route(publication, acceptance)
    else this.#routeTraced(tracer, publication, acceptance)
  }

  #routeTraced(tracer: PublishTracer, publication: Publication, acceptance: Acceptance | undefined): void {
    const traced = tracer.begin(publication, acceptance)
    if (traced === undefined) {
      this.#route(publication, acceptance)
      return
    }
    tracer.during(traced, () => this.#route(publication, acceptance))
    if (publication.qos === 0) traced.span.end()
  }

  #route(publication: Publication, acceptance: Acceptance | undefined): void {
    const { topic } = publication
    const given = publication.id
    if (given === undefined && publication.qos > 0) identify(publication, this.#ids.next())
    const storeSequence =
      given === undefined
        ? this.#local.deliverOrdinary(publication)
        : this.#local.deliverOnce(publication, given, undefined)
    if (storeSequence > 0) acceptance?.requireCommitted(storeSequence)
    const interested = this.#remote.match(topic)
    const isHere = this.#local.matchCount > 0
    if (interested.length === 0) this.stats[isHere ? 'here' : 'nowhere']++
    else this.stats[isHere ? 'both' : 'elsewhere']++
    const nodes = publication.stamp === undefined ? interested : this.#everyNode(interested)
    for (let i = 0; i < nodes.length; i++) {
      this.#forwarder.forward(nodes[i] as string, publication, acceptance)
    }
    this.#routeShared(publication, interested, acceptance)
  }

  #routeShared(
    publication: Publication,
    interested: readonly NodeId[],
    acceptance: Acceptance | undefined,
  ): void {
    const here = this.#local.groups(publication.topic)
    const there = this.#remote.matchShared(publication.topic)
    if (there === undefined) {
      this.#publishToEveryGroup(publication, interested, acceptance)
      return
    }
    if (here.length > 0 || there.length > 0) this.#publishShared(publication, here, there, acceptance)
    if (publication.qos > 0) this.#publishToUnknown(publication, here, there, acceptance)
  }

  /** A message to be retained goes to all members: each keeps a copy, whoever subscribes there and when. */
  #everyNode(interested: readonly NodeId[]): readonly NodeId[] {
    const { members } = this.#forwarder
    return interested.length === 0 ? members : [...new Set([...interested, ...members])]
  }

  repeat(publication: Publication, acceptance: Acceptance, isFromElsewhere: boolean): void {
    const { id } = publication
    if (id !== undefined) {
      const storeSequence = isFromElsewhere
        ? this.#local.deliverRepeated(publication, id)
        : this.#local.deliverLacking(publication)
      if (storeSequence > 0) acceptance.requireCommitted(storeSequence)
    }
    const nodes = this.#remote.match(publication.topic)
    for (const nodeId of nodes) this.#forwarder.forward(nodeId, publication, acceptance)
    // Whether a member had it, and which, is not known: one gets it, perhaps once more.
    this.#routeShared(publication, nodes, acceptance)
  }

  memberLeaves(member: LocalSubscription): void {
    this.#local.memberLeaves(member)
  }

  memberGone(subscriber: LocalDelivery): void {
    this.#local.memberGone(subscriber)
  }

  get sender(): NodeId {
    return this.#local.sender ?? this.#shared.self
  }

  takeOver(publisher: ClientId, debts: readonly Debt[], acceptance: Acceptance): void {
    this.#forwarder.takeOver(this.#shared.self, publisher, debts, acceptance)
  }

  deliverLocally(publication: Publication): void {
    this.#local.deliver(publication)
  }

  /**
   * A node did not give a publication of a shared subscription to a member, though `attempt` nodes were tried: another one
   * gets it, of which a member is known or nothing. If there is none, a node that vanished keeps it for its sessions.
   */
  redispatch(
    nodeId: NodeId,
    publication: Publication,
    target: SharedTarget,
    acceptance: Acceptance | undefined,
    attempt: number,
  ): void {
    const mayTry = attempt < limits.sharedAttemptsMax
    if (isEveryGroup(target)) {
      // It vanished: which groups it has is found out when it is back.
      if (mayTry) this.#forwardToGroup(nodeId, publication, target, acceptance, attempt)
      return
    }
    const group = this.#matched(publication.topic, target)
    const known = this.#shared.chooseAnew(group, publication, nodeId)
    const chosen = mayTry ? (known ?? this.#unknownBut(nodeId)) : undefined
    if (chosen === undefined) {
      this.#shared.stats.nobody++
      return
    }
    this.#shared.stats.redispatched++
    this.#give(chosen, publication, group.local, target, acceptance, attempt)
  }

  giveToAnother(publication: Publication, target: SharedTarget, acceptance: Acceptance): void {
    // Under its old id it would be a duplicate wherever a member had it before, perhaps on its way here with that one's session.
    const again = { ...publication, id: this.#ids.next() }
    const group = this.#matched(again.topic, target)
    const chosen = this.#shared.choose(group, again) ?? this.#unknownBut(this.#shared.self)
    if (chosen === undefined) {
      this.#shared.stats.nobody++
      return
    }
    this.#shared.stats.redispatched++
    this.#give(chosen, again, group.local, target, acceptance, 0)
  }

  #matched(topic: string, target: SharedTarget): MatchedGroup {
    return {
      local: this.#local.groups(topic).find(found => isTarget(found, target)),
      remote: this.#remote.matchShared(topic)?.find(found => isTarget(found, target)),
    }
  }

  /** Another node of which nothing is known, if possible a live one. */
  #unknownBut(tried: NodeId): NodeId | undefined {
    const others = this.#remote.unknownNodes.filter(nodeId => nodeId !== tried)
    const { members } = this.#forwarder
    return others.find(nodeId => members.includes(nodeId)) ?? others[0]
  }

  #publishShared(
    publication: Publication,
    here: readonly SharedGroup[],
    there: readonly RemoteGroup[],
    acceptance: Acceptance | undefined,
  ): void {
    for (const local of here) {
      const remote = there.find(found => isTarget(found, local))
      this.#dispatch(publication, { local, remote }, local, acceptance)
    }
    for (const remote of there) {
      if (here.some(found => isTarget(found, remote))) continue
      this.#dispatch(publication, { local: undefined, remote }, remote, acceptance)
    }
  }

  #dispatch(
    publication: Publication,
    group: MatchedGroup,
    target: SharedTarget,
    acceptance: Acceptance | undefined,
  ): void {
    const chosen = this.#shared.choose(group, publication)
    if (chosen !== undefined) this.#give(chosen, publication, group.local, target, acceptance, 0)
  }

  #give(
    nodeId: NodeId,
    publication: Publication,
    local: SharedGroup | undefined,
    target: SharedTarget,
    acceptance: Acceptance | undefined,
    attempt: number,
  ): void {
    if (nodeId !== this.#shared.self) {
      this.#shared.stats.forwarded++
      this.#forwardToGroup(nodeId, publication, target, acceptance, attempt)
      return
    }
    this.#shared.stats.local++
    // A reserved id may be published by another node too.
    const storeSequence =
      !isReserved(publication.id) && local !== undefined
        ? this.#local.deliverToMember(publication, local)
        : this.#local.deliverToGroup(publication, target, undefined)
    if (storeSequence !== undefined && storeSequence > 0) acceptance?.requireCommitted(storeSequence)
  }

  #forwardToGroup(
    nodeId: NodeId,
    publication: Publication,
    target: SharedTarget,
    acceptance: Acceptance | undefined,
    attempt: number,
  ): void {
    this.#shared.tickets.prepare(publication)
    this.#forwarder.forwardToGroup(nodeId, publication, target, acceptance, attempt)
  }

  /** Nodes whose interest is not known serve the groups of which no member is known here, if they have some. */
  #publishToUnknown(
    publication: Publication,
    here: readonly SharedGroup[],
    there: readonly RemoteGroup[],
    acceptance: Acceptance | undefined,
  ): void {
    const { unknownNodes } = this.#remote
    if (unknownNodes.length === 0) return
    const target = everyGroupBut([...here, ...there])
    for (const nodeId of unknownNodes) {
      this.#forwardToGroup(nodeId, publication, target, acceptance, 0)
    }
  }

  /** Too many wildcards to know the groups: every node serves its own, so that nobody misses anything. */
  #publishToEveryGroup(
    publication: Publication,
    nodes: readonly NodeId[],
    acceptance: Acceptance | undefined,
  ): void {
    const storeSequence = this.#local.deliverToGroup(publication, everyGroup, undefined)
    if (storeSequence !== undefined && storeSequence > 0) acceptance?.requireCommitted(storeSequence)
    for (const nodeId of nodes) {
      this.#forwardToGroup(nodeId, publication, everyGroup, acceptance, 0)
    }
  }
}

function isTarget(found: SharedTarget, { group, filter }: SharedTarget): boolean {
  return found.group === group && found.filter === filter
}

/** Nobody else has seen the publication yet, so this is its making, not a change; a copy per message would be waste. */
function identify(publication: { id?: MessageId | undefined }, id: MessageId | undefined): void {
  publication.id = id
}
