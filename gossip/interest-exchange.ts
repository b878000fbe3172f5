import type { Incarnation, NodeId } from '../src/core/ids.ts'
import { TopicHasher } from '../src/core/interest-hash.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { Gossip } from '../src/core/ports/gossip.ts'
import type { InterestRecords } from '../src/core/ports/interest-records.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { PeerAddress, PeerTransport } from '../src/core/ports/peer-transport.ts'
import type {
  InterestListener,
  LocalIndex,
  RemoteIndex,
  RemoteInterestStatus,
  RouteBarrier,
} from '../src/core/ports/routing.ts'
import { AppliedTracker } from './applied-tracker.ts'
import type { BarrierLevel } from './applied-tracker.ts'
import { decodeDelta } from './delta-codec.ts'
import type { InterestDelta } from './delta-codec.ts'
import { DeltaSpreader } from './delta-spreader.ts'
import { GoneInterest } from './gone-interest.ts'
import type { GoneInterestStore } from './gone-interest-records.ts'
import { InterestFeeds } from './interest-feeds.ts'
import { recordedBytes } from './feed-writer.ts'
import { decodeInterestFrame, encodeApplied, encodeDigest, encodePull } from './interest-frame-codec.ts'
import type { InterestFrame, InterestPull } from './interest-frame-codec.ts'
import { createInterestStats } from './interest-stats.ts'
import type { InterestStats } from './interest-stats.ts'
import { LocalInterest } from './local-interest.ts'
import { MemberInterest } from './member-interest.ts'
import { RemoteInterest } from './remote-interest.ts'
import { RepairSender } from './repair-sender.ts'

export interface InterestExchangeComponents {
  readonly gossip: Gossip
  readonly transport: PeerTransport
  /** Undefined: gossip is the only way of changes. */
  readonly records?: InterestRecords
  /** Where the last interest of nodes that are gone is kept. Undefined: in memory only. */
  readonly store?: GoneInterestStore
  /** The filters of this node's clients. */
  readonly local: Pick<LocalIndex, 'filters' | 'groups'>
  readonly remote: RemoteIndex
  readonly clock: Clock
  readonly logger: Logger
}

export interface InterestExchangeOptions {
  /** Name of the cluster: the hashes of exact filters depend on it. */
  readonly cluster: string
  /** Least time between two deltas of this node. */
  readonly batchIntervalMs: number
  /** Time between two digests to each peer; what gossip loses is repaired within about two of them. */
  readonly digestIntervalMs: number
}

/** The peers get their digests in so many turns of the interval, so that a node's messages do not leave, and arrive, all at once. */
const DIGEST_TURNS = 8

/**
 * Keeps the remote index in step with what the other members' clients subscribe to, and theirs with this node's
 * (PROTOCOLS section 7, WIRE.md).
 *
 * Changes travel as numbered deltas, mostly by gossip, which may lose anything; digests, pulls and repairs travel by stream
 * and mend it. Believes nobody but current members in their current incarnation; a frame that is malformed or lies, or
 * more of them than one member's share, closes the link it came by. Never routes, and looks into a filter only to see
 * whether it has wildcards.
 */
export class InterestExchange implements InterestListener, RouteBarrier {
  readonly stats: Readonly<InterestStats>
  /** By which ways changes travel; gossip, until they follow something else. */
  readonly feeds: InterestFeeds
  /** What is known of nodes that are no members and may return. */
  readonly gone: GoneInterest
  readonly #stats: InterestStats
  readonly #components: InterestExchangeComponents
  readonly #options: InterestExchangeOptions
  readonly #hasher: TopicHasher
  readonly #local: LocalInterest
  readonly #spreader: DeltaSpreader
  readonly #sender: RepairSender
  readonly #tracker: AppliedTracker
  readonly #members = new Map<NodeId, MemberInterest>()
  /** The members by the identity that gossip proves. */
  #byPeerId = new Map<string, MemberInterest>()
  /** Incarnations whose link is up, members here or not yet. */
  readonly #linked = new Map<NodeId, Incarnation>()
  readonly #listeners: (() => void)[] = []
  #self: { readonly nodeId: NodeId; readonly incarnation: Incarnation } | undefined
  #digestTimer: Timer | undefined
  #digestTurn = 0
  #membersMade = 0

  constructor(components: InterestExchangeComponents, options: InterestExchangeOptions) {
    const { gossip, transport, local, clock } = components
    this.#components = components
    this.#options = options
    this.#hasher = new TopicHasher(options.cluster)
    const stats = createInterestStats()
    this.stats = this.#stats = stats
    this.#tracker = new AppliedTracker(clock, stats)
    this.#sender = new RepairSender(transport, clock, stats)
    this.#spreader = new DeltaSpreader({ gossip, transport, clock, stats, linked: () => this.#linked.keys() })
    this.#local = new LocalInterest(
      {
        local,
        clock,
        publish: (messages, sequence, changedAtMs) => {
          this.#tracker.batchSent(sequence, changedAtMs)
          if (this.feeds.writesGossip) this.#spreader.spread(messages)
          this.feeds.spread(messages)
        },
        onNewGeneration: () => {
          this.feeds.onNewGeneration()
          this.#sendDigests()
        },
        batchIntervalMs: () => this.#spreader.intervalMs(options.batchIntervalMs, this.#members.size),
      },
      options.cluster,
    )
    this.feeds = new InterestFeeds({
      ...components,
      records: components.records,
      hasher: this.#hasher,
      local: this.#local,
      take: (nodeId, delta) => this.#members.get(nodeId)?.remote.onDelta(delta),
      indexed: nodeId => this.#members.get(nodeId)?.remote.state,
    })
    this.gone = new GoneInterest({
      ...{ transport, clock, index: components.remote, logger: components.logger },
      ...{ hasher: this.#hasher, sender: this.#sender, store: components.store },
    })
    gossip.onMessage((message, from) => this.#onGossip(message, from))
    transport.onFrame('interest', (from, frame) => this.#onFrame(from, frame))
    transport.addPeerListener({
      onPeerUp: peer => this.#onPeerUp(peer),
      onPeerDown: peer => this.#onPeerDown(peer),
    })
  }

  /** Begins this node's incarnation with the filters there are now. Before it nothing is sent. */
  start(nodeId: NodeId, incarnation: Incarnation): void {
    if (this.#self !== undefined) throw new Error('the interest exchange was started twice')
    this.#self = { nodeId, incarnation }
    this.#local.start(nodeId, incarnation)
    const { digestIntervalMs } = this.#options
    this.#digestTimer = this.#components.clock.repeat(digestIntervalMs / DIGEST_TURNS, () => {
      this.#digestTurn = (this.#digestTurn + 1) % DIGEST_TURNS
      this.#sendDigests(this.#digestTurn)
    })
  }

  added(filter: string): void {
    this.#local.change(filter, true)
  }

  removed(filter: string): void {
    this.#local.change(filter, false)
  }

  groupChanged(group: string, filter: string, members: number): void {
    this.#local.changePattern(group, filter, members)
  }

  whenApplied(level: BarrierLevel, timeoutMs: number, done: (isApplied: boolean) => void): void {
    const sequence = this.#local.hasPending ? undefined : this.#local.sequence
    this.#tracker.wait(level, sequence, timeoutMs, done)
  }

  isAppliedUpTo(timeMs: number): boolean {
    return this.#local.pendingSinceMs > timeMs && this.#tracker.isAppliedUpTo(timeMs)
  }

  /** Replaces the peers, self left out. What departed nodes and older incarnations wanted is forgotten at once. */
  setMembers(members: readonly PeerAddress[]): void {
    const wanted = new Map(members.map(member => [member.nodeId, member]))
    for (const [nodeId, { remote }] of this.#members) {
      if (wanted.get(nodeId)?.incarnation === remote.peer.incarnation) continue
      this.#members.delete(nodeId)
      this.#sender.cancel(nodeId)
      this.#tracker.memberLeft(nodeId)
      const { summary } = remote
      remote.dispose()
      if (summary !== undefined && !wanted.has(nodeId)) this.gone.left(nodeId, summary)
    }
    for (const member of members) {
      if (this.#members.has(member.nodeId)) continue
      this.gone.forget(member.nodeId)
      this.#members.set(member.nodeId, this.#newMember(member))
      this.#tracker.memberJoined(member.nodeId)
      if (this.#linked.get(member.nodeId) === member.incarnation) this.#onPeerUp(member)
    }
    this.#byPeerId = new Map(
      members.map(({ nodeId, peerId }) => [peerId, this.#members.get(nodeId) as MemberInterest]),
    )
    this.feeds.setMembers(members)
    this.#changed()
  }

  /** How many lives may route by what was before they lost sight of the members: to a barrier they are members that apply nothing. */
  setUnseen(count: number): void {
    this.#tracker.setUnseen(count)
  }

  /**
   * The members may have gone on without this node: what it knows of their interest is not believed until they have said
   * once more what it is.
   */
  doubt(): void {
    for (const { remote } of this.#members.values()) remote.doubt()
  }

  /** How many changes of its own interest this node has announced. */
  get sequence(): number {
    return this.#local.sequence
  }

  /** Members whose interest is not known here: the remote index has them match everything. */
  get missing(): readonly NodeId[] {
    return this.#nodesWhere(({ remote }) => !remote.isKnown)
  }

  /** Members that have not confirmed, on their present link, that they hold this node's interest. */
  get unheard(): readonly NodeId[] {
    return this.#nodesWhere(({ hasConfirmed }) => !hasConfirmed)
  }

  /** Whether that member has confirmed, on its present link, that it holds this node's interest. */
  isKnownTo(nodeId: NodeId): boolean {
    return this.#members.get(nodeId)?.hasConfirmed === true
  }

  /** Called whenever `missing` or `unheard` may have changed. */
  onSynchronizedChanged(listener: () => void): void {
    this.#listeners.push(listener)
  }

  status(): readonly RemoteInterestStatus[] {
    return [...this.#members.values()].map(({ remote }) => remote.status)
  }

  /** About what all members would have in the coordination store if their changes travelled that way. */
  recordedBytes(): number {
    let bytes = recordedBytes(this.#local.size)
    for (const { remote } of this.#members.values()) bytes += recordedBytes(remote.size)
    return bytes
  }

  stop(): void {
    this.#digestTimer?.cancel()
    this.feeds.stop()
    this.#local.stop()
    for (const nodeId of this.#members.keys()) this.#sender.cancel(nodeId)
  }

  #newMember(peer: PeerAddress): MemberInterest {
    const { remote: index, transport, clock, logger } = this.#components
    const { nodeId, incarnation } = peer
    const remote = new RemoteInterest(peer, {
      index,
      hasher: this.#hasher,
      clock,
      logger,
      stats: this.#stats,
      sendPull: pull => transport.send(nodeId, 'interest', encodePull(pull)),
      sendApplied: sequence => transport.send(nodeId, 'interest', encodeApplied(incarnation, sequence)),
      onKnownChanged: () => this.#changed(),
      onApplied: () => this.feeds.onIndexed(nodeId),
    })
    return new MemberInterest(remote, this.#membersMade++ % DIGEST_TURNS, clock)
  }

  #onPeerUp({ nodeId, incarnation }: PeerAddress): void {
    this.#linked.set(nodeId, incarnation)
    const member = this.#members.get(nodeId)
    if (member?.remote.peer.incarnation !== incarnation) return
    member.linkUp(this.#local.sequence)
    this.#sendDigest(nodeId)
  }

  #onPeerDown({ nodeId, incarnation }: PeerAddress): void {
    if (this.#linked.get(nodeId) === incarnation) this.#linked.delete(nodeId)
    const member = this.#members.get(nodeId)
    if (member?.remote.peer.incarnation !== incarnation) return
    member.linkDown()
    this.gone.linkDown(nodeId)
    this.#sender.cancel(nodeId)
    this.#changed()
  }

  /** `from` said it, whoever passed it on: of others it has nothing to say, and what is too much is its own. */
  #onGossip(message: Uint8Array, from: string): void {
    const member = this.#byPeerId.get(from)
    if (member === undefined) {
      this.#stats.ignored++
      return
    }
    const { nodeId, incarnation } = member.remote.peer
    if (!member.deltas.take(1)) return this.#flooded(nodeId, 'more gossip')
    const delta = decodeDelta(message)
    if (delta?.nodeId !== nodeId) {
      const what = delta === undefined ? 'malformed gossip' : `gossip in the name of ${delta.nodeId}`
      return this.#rejected(nodeId, what)
    }
    if (delta.incarnation !== incarnation) {
      this.#stats.ignored++
      return
    }
    this.#spreader.heard()
    this.#onDelta(member, delta)
  }

  #onDelta(member: MemberInterest, delta: InterestDelta): void {
    this.#stats.deltasReceived++
    if (this.feeds.onGossip(delta.nodeId, delta)) member.remote.onDelta(delta)
  }

  #onFrame(from: PeerAddress, bytes: Uint8Array): void {
    const member = this.#members.get(from.nodeId)
    if (this.#self === undefined || member?.remote.peer.incarnation !== from.incarnation) {
      this.#stats.ignored++
      return
    }
    if (!member.frames.take(bytes.length)) return this.#flooded(from.nodeId, 'more interest frames')
    const frame = decodeInterestFrame(bytes)
    if (frame?.type === 'pull') return this.#onPull(member, frame)
    const isPull = frame?.type === 'about' && frame.frame.type === 'pull'
    if (isPull && !member.pulls.take(1)) return this.#flooded(from.nodeId, 'more requests for interest')
    const fault = frame === undefined ? 'a malformed interest frame' : this.#handle(member, frame)
    if (fault !== undefined) this.#rejected(from.nodeId, fault)
  }

  #onPull(member: MemberInterest, pull: InterestPull): void {
    const { nodeId } = member.remote.peer
    if (member.pulls.take(1)) this.#sender.send(nodeId, this.#local.repairFor(pull))
    else this.#flooded(nodeId, 'more requests for interest')
  }

  #rejected(nodeId: NodeId, what: string): void {
    this.#stats.rejected++
    this.#components.transport.disconnect(nodeId, `it sent ${what}`)
  }

  #flooded(nodeId: NodeId, what: string): void {
    this.#stats.flooded++
    this.#components.transport.disconnect(nodeId, `it sent ${what} than one member may`)
  }

  #handle(member: MemberInterest, frame: Exclude<InterestFrame, { type: 'pull' }>): string | undefined {
    const { remote } = member
    switch (frame.type) {
      case 'digest':
        return remote.onDigest(frame)
      case 'repair-begin':
        return remote.onRepairBegin(frame)
      case 'segments':
        return remote.onSegments(frame.segments)
      case 'patterns':
        return remote.onPatterns(frame.patterns)
      case 'repair-end':
        return remote.onRepairEnd()
      case 'applied':
        return this.#onApplied(member, frame.incarnation, frame.sequence)
      case 'delta': {
        const { nodeId, incarnation } = frame.delta
        if (nodeId !== remote.peer.nodeId || incarnation !== remote.peer.incarnation) return "another's delta"
        this.#onDelta(member, frame.delta)
        return undefined
      }
      case 'about':
        return this.gone.onFrame(remote.peer.nodeId, frame.nodeId, frame.frame)
    }
  }

  #onApplied(member: MemberInterest, incarnation: Incarnation, sequence: number): string | undefined {
    if (incarnation !== this.#self?.incarnation) return 'an acknowledgement to another incarnation'
    if (sequence > this.#local.sequence) {
      // It has what was never said: not believed, and repaired there by the next digest.
      this.#stats.rejected++
      return undefined
    }
    this.#tracker.memberApplied(member.remote.peer.nodeId, sequence)
    if (member.applied(sequence)) this.#changed()
    return undefined
  }

  /** To the peers of one turn, or to all. */
  #sendDigests(turn?: number): void {
    for (const [nodeId, { isLinkUp, digestTurn }] of this.#members) {
      if (isLinkUp && (turn === undefined || turn === digestTurn)) this.#sendDigest(nodeId)
    }
  }

  #sendDigest(nodeId: NodeId): void {
    if (this.#self === undefined) return
    this.#components.transport.send(nodeId, 'interest', encodeDigest(this.#local.summary()))
    this.gone.tell(nodeId)
  }

  #nodesWhere(condition: (member: MemberInterest) => boolean): readonly NodeId[] {
    const nodes: NodeId[] = []
    for (const [nodeId, member] of this.#members) if (condition(member)) nodes.push(nodeId)
    return nodes
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}
