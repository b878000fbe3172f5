/**
 * Chooses, for each shared subscription a topic matches, the one node in the cluster whose member gets the message
 * (PROTOCOLS section 11). The node chosen picks the member, by the same strategy.
 *
 * A node is as likely as it has members. Nodes that are gone are chosen only when nobody else has a member: their sessions
 * keep it. It neither delivers nor forwards. Invariant: a choice names a node that has a member as far as is known here, and
 * none that the caller rules out.
 */
import type { NodeId } from '../src/core/ids.ts'
import type { Random } from '../src/core/ports/random.ts'
import type { Acceptance, RemoteGroup, SharedGroup, SharedTarget } from '../src/core/ports/routing.ts'
import { RESERVED_FROM, type Publication } from '../src/core/publication.ts'
import type { SharedStrategy, SharedTickets } from './shared-tickets.ts'

/** A publication of a shared subscription that `nodeId` did not give to a member; `attempt` nodes were tried. */
export type UndeliveredListener = (
  nodeId: NodeId,
  publication: Publication,
  target: SharedTarget,
  acceptance: Acceptance | undefined,
  attempt: number,
) => void

/** One shared subscription with a matching filter; at least one of `local` and `remote` is there. */
export interface MatchedGroup {
  readonly local: SharedGroup | undefined
  readonly remote: RemoteGroup | undefined
}

export interface CandidateNode {
  readonly nodeId: NodeId
  readonly members: number
  readonly isLive: boolean
}

/** A choice that is not made. */
export interface Foresight {
  /** Every node with members; those that are gone are chosen only when nobody else has one. */
  readonly members: readonly CandidateNode[]
  readonly strategy: SharedStrategy
  readonly node: NodeId | undefined
}

export interface SharedStats {
  /** Messages of shared subscriptions given to this node's members. */
  local: number
  /** Sent to another node's members. */
  forwarded: number
  /** Chosen anew: the node chosen first had no member any more, or vanished, or the member's session ended. */
  redispatched: number
  /** Dropped: nobody had a member any more. */
  nobody: number
}

export class SharedGroups {
  readonly stats: SharedStats = { local: 0, forwarded: 0, redispatched: 0, nobody: 0 }
  /** This node, one of those that may be chosen. */
  readonly self: NodeId
  readonly tickets: SharedTickets
  readonly #random: Random
  readonly #isLive: (nodeId: NodeId) => boolean
  /** Whose turn it is, by the object that stands for the group here: local, else remote. */
  readonly #turns = new WeakMap<object, { next: number }>()
  // Of the choice under way: who may be chosen, and how many members they have; reused.
  readonly #candidates: NodeId[] = []
  readonly #weights: number[] = []

  constructor(self: NodeId, tickets: SharedTickets, random: Random, isLive: (nodeId: NodeId) => boolean) {
    this.self = self
    this.tickets = tickets
    this.#random = random
    this.#isLive = isLive
  }

  /**
   * The node for this message; undefined when nobody has a member. `except` was tried before and is not chosen again.
   */
  choose(group: MatchedGroup, publication: Publication, except?: NodeId): NodeId | undefined {
    const { local, remote } = group
    const localMembers = local?.size ?? 0
    if (this.tickets.strategy === 'local-first' && localMembers > 0) return this.self
    const total = this.#gatherLiveFirst(localMembers, remote, except)
    return total === 0 ? undefined : this.#pick(this.#ticket(group, publication), total)
  }

  /**
   * What `choose` would do with this message, without taking a turn. `node` is undefined when that is not decided yet: the
   * first turn of a group, and every choice of the strategy `random`, is drawn when it comes to it.
   */
  foresee(group: MatchedGroup, publication: Publication): Foresight {
    const { local, remote } = group
    const localMembers = local?.size ?? 0
    const members: CandidateNode[] = []
    if (localMembers > 0) members.push({ nodeId: this.self, members: localMembers, isLive: true })
    for (const [nodeId, count] of remote?.members ?? []) {
      members.push({ nodeId, members: count, isLive: this.#isLive(nodeId) })
    }
    const { strategy } = this.tickets
    if (strategy === 'local-first' && localMembers > 0) return { members, strategy, node: this.self }
    const total = this.#gatherLiveFirst(localMembers, remote, undefined)
    const ticket = this.#foreseeTicket(group, publication)
    return {
      members,
      strategy,
      node: ticket === undefined ? this.#onlyCandidate() : this.#pick(ticket, total),
    }
  }

  /** As `choose`, when `tried` did not give it to a member: not again, unless it vanished and nobody else has one. */
  chooseAnew(group: MatchedGroup, publication: Publication, tried: NodeId): NodeId | undefined {
    return this.choose(group, publication, tried) ?? (this.#isLive(tried) ? undefined : tried)
  }

  /** Of the candidates gathered, who have `total` members together. */
  #pick(ticket: number, total: number): NodeId | undefined {
    if (total === 0) return undefined
    let left = ticket % total
    for (let i = 0; i < this.#weights.length; i++) {
      left -= this.#weights[i] as number
      if (left < 0) return this.#candidates[i]
    }
    throw new Error('a ticket was beyond the members')
  }

  #onlyCandidate(): NodeId | undefined {
    return this.#candidates.length === 1 ? this.#candidates[0] : undefined
  }

  /** Answers how many members the candidates have together. */
  #gatherLiveFirst(local: number, remote: RemoteGroup | undefined, except: NodeId | undefined): number {
    this.#gather(local, remote, except, true)
    if (this.#candidates.length === 0) this.#gather(local, remote, except, false)
    let total = 0
    for (const weight of this.#weights) total += weight
    return total
  }

  /** Candidates in an order that every node agrees on. */
  #gather(local: number, remote: RemoteGroup | undefined, except: NodeId | undefined, isLive: boolean): void {
    this.#candidates.length = this.#weights.length = 0
    if (local > 0) this.#insert(this.self, local)
    if (remote === undefined) return
    for (const [nodeId, members] of remote.members) {
      if (nodeId !== except && (!isLive || this.#isLive(nodeId))) this.#insert(nodeId, members)
    }
  }

  #insert(candidate: NodeId, weight: number): void {
    let at = this.#candidates.length
    while (at > 0 && (this.#candidates[at - 1] as NodeId) > candidate) {
      this.#candidates[at] = this.#candidates[at - 1] as NodeId
      this.#weights[at] = this.#weights[at - 1] as number
      at--
    }
    this.#candidates[at] = candidate
    this.#weights[at] = weight
  }

  /** A number that decides, by the strategy; uniform or in turn. */
  #ticket({ local, remote }: MatchedGroup, publication: Publication): number {
    const { id } = publication
    // A will may be published by two nodes: both should choose alike.
    if (id !== undefined && id.number >= RESERVED_FROM) return id.number - RESERVED_FROM
    return this.tickets.draw(publication) ?? this.#turn(local ?? remote)
  }

  /** Undefined: not known before it is drawn. */
  #foreseeTicket(group: MatchedGroup, publication: Publication): number | undefined {
    if (this.tickets.strategy === 'random') return undefined
    const key = group.local ?? group.remote
    return this.tickets.foresee(publication) ?? (key && this.#turns.get(key)?.next)
  }

  #turn(group: object | undefined): number {
    if (group === undefined) return 0
    let turn = this.#turns.get(group)
    if (turn === undefined) {
      // Not all ingresses begin with the same node.
      turn = { next: this.#random.uint32() }
      this.#turns.set(group, turn)
    }
    return turn.next++
  }
}
