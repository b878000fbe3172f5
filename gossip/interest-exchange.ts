import type { Incarnation, NodeId } from '../src/core/ids.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { Gossip } from '../src/core/ports/gossip.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { PeerAddress, PeerTransport } from '../src/core/ports/peer-transport.ts'
import type { RemoteIndex, RemoteInterestStatus } from '../src/core/ports/routing.ts'
import { decodeDelta } from './delta-codec.ts'
import { decodeInterestFrame, encodeBare, encodeConfirm, encodeSummary } from './interest-frame-codec.ts'
import type { InterestFrame } from './interest-frame-codec.ts'
import { createInterestStats } from './interest-stats.ts'
import type { InterestStats } from './interest-stats.ts'
import { LocalInterest } from './local-interest.ts'
import { RemoteInterest } from './remote-interest.ts'
import { SnapshotSender } from './snapshot-sender.ts'

export interface InterestExchangeComponents {
  readonly gossip: Gossip
  readonly transport: PeerTransport
  /** The distinct filters of this node's clients. */
  readonly local: { filters(): Iterable<string> }
  readonly remote: RemoteIndex
  readonly clock: Clock
  readonly logger: Logger
}

export interface InterestExchangeOptions {
  /** Least time between two delta messages of this node. */
  readonly batchIntervalMs: number
  /** Time between two digests to each peer; what gossip loses is repaired within about two of them. */
  readonly digestIntervalMs: number
}

interface MemberInterest {
  readonly remote: RemoteInterest
  isLinkUp: boolean
  hasConfirmed: boolean
}

/**
 * Keeps the remote index in step with what the other members' clients subscribe to, and theirs with this node's
 * (PROTOCOLS section 7, WIRE.md).
 *
 * Changes travel as numbered deltas by gossip, which may lose anything; digests, pulls and snapshots travel by stream
 * and repair it. Believes nobody but current members in their current incarnation; a frame that is malformed or lies
 * closes the link it came by. Never routes and never looks into a filter.
 */
export class InterestExchange {
  readonly stats: Readonly<InterestStats>
  readonly #stats: InterestStats
  readonly #components: InterestExchangeComponents
  readonly #digestIntervalMs: number
  readonly #local: LocalInterest
  readonly #sender: SnapshotSender
  readonly #members = new Map<NodeId, MemberInterest>()
  /** Incarnations whose link is up, members here or not yet. */
  readonly #linked = new Map<NodeId, Incarnation>()
  readonly #listeners: (() => void)[] = []
  #self: { readonly nodeId: NodeId; readonly incarnation: Incarnation } | undefined
  #digestTimer: Timer | undefined

  constructor(components: InterestExchangeComponents, options: InterestExchangeOptions) {
    this.#components = components
    this.#digestIntervalMs = options.digestIntervalMs
    this.stats = this.#stats = createInterestStats()
    const { gossip, transport, local, clock } = components
    const publish = (message: Uint8Array): boolean => gossip.publish(message) // what is lost, a digest tells
    this.#local = new LocalInterest({ local, publish, clock, stats: this.#stats }, options)
    this.#sender = new SnapshotSender(transport, clock, this.#stats)
    gossip.onMessage(message => this.#onGossip(message))
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
    this.#digestTimer = this.#components.clock.repeat(this.#digestIntervalMs, () => this.#sendDigests())
    this.#sendDigests()
  }

  /** This node has its first subscription with `filter`. */
  added(filter: string): void {
    this.#local.change(filter, true)
  }

  /** This node has no subscription with `filter` any more. */
  removed(filter: string): void {
    this.#local.change(filter, false)
  }

  /** Replaces the peers, self left out. What departed nodes and older incarnations wanted is forgotten at once. */
  setMembers(members: readonly PeerAddress[]): void {
    const wanted = new Map(members.map(member => [member.nodeId, member]))
    for (const [nodeId, { remote }] of this.#members) {
      if (wanted.get(nodeId)?.incarnation === remote.peer.incarnation) continue
      this.#members.delete(nodeId)
      this.#sender.cancel(nodeId)
      remote.dispose()
    }
    for (const member of members) {
      if (this.#members.has(member.nodeId)) continue
      this.#members.set(member.nodeId, this.#newMember(member))
      if (this.#linked.get(member.nodeId) === member.incarnation) this.#onPeerUp(member)
    }
    this.#changed()
  }

  /** Members whose interest is not known here: the remote index has them match everything. */
  get missing(): readonly NodeId[] {
    return this.#nodesWhere(({ remote }) => !remote.isKnown)
  }

  /** Members that have not confirmed, on their present link, that they hold this node's interest. */
  get unheard(): readonly NodeId[] {
    return this.#nodesWhere(({ hasConfirmed }) => !hasConfirmed)
  }

  /** Called whenever `missing` or `unheard` may have changed. */
  onSynchronizedChanged(listener: () => void): void {
    this.#listeners.push(listener)
  }

  status(): readonly RemoteInterestStatus[] {
    return [...this.#members.values()].map(({ remote }) => remote.status)
  }

  stop(): void {
    this.#digestTimer?.cancel()
    this.#local.stop()
    for (const nodeId of this.#members.keys()) this.#sender.cancel(nodeId)
  }

  #newMember(peer: PeerAddress): MemberInterest {
    const { remote: index, transport, clock, logger } = this.#components
    const { nodeId } = peer
    const remote = new RemoteInterest(peer, {
      index,
      clock,
      logger,
      stats: this.#stats,
      sendPull: () => transport.send(nodeId, 'interest', encodeBare('pull')),
      sendConfirm: sequence => transport.send(nodeId, 'interest', encodeConfirm(peer.incarnation, sequence)),
      onKnownChanged: () => this.#changed(),
    })
    return { remote, isLinkUp: false, hasConfirmed: false }
  }

  #onPeerUp({ nodeId, incarnation }: PeerAddress): void {
    this.#linked.set(nodeId, incarnation)
    const member = this.#members.get(nodeId)
    if (member?.remote.peer.incarnation !== incarnation) return
    member.isLinkUp = true
    member.remote.onLinkUp()
    this.#sendDigest(nodeId)
  }

  #onPeerDown({ nodeId, incarnation }: PeerAddress): void {
    if (this.#linked.get(nodeId) === incarnation) this.#linked.delete(nodeId)
    const member = this.#members.get(nodeId)
    if (member?.remote.peer.incarnation !== incarnation) return
    member.isLinkUp = false
    member.hasConfirmed = false
    member.remote.onLinkDown()
    this.#sender.cancel(nodeId)
    this.#changed()
  }

  #onGossip(message: Uint8Array): void {
    const delta = decodeDelta(message)
    if (delta === undefined) {
      this.#stats.rejected++
      return
    }
    const member = this.#members.get(delta.nodeId)
    if (member?.remote.peer.incarnation !== delta.incarnation) {
      this.#stats.ignored++
      return
    }
    this.#stats.deltasReceived++
    member.remote.onDelta(delta)
  }

  #onFrame(from: PeerAddress, bytes: Uint8Array): void {
    const member = this.#members.get(from.nodeId)
    if (this.#self === undefined || member?.remote.peer.incarnation !== from.incarnation) {
      this.#stats.ignored++
      return
    }
    const frame = decodeInterestFrame(bytes)
    const fault = frame === undefined ? 'a malformed interest frame' : this.#handle(member, frame)
    if (fault === undefined) return
    this.#stats.rejected++
    this.#components.transport.disconnect(from.nodeId, `it sent ${fault}`)
  }

  #handle(member: MemberInterest, frame: InterestFrame): string | undefined {
    switch (frame.type) {
      case 'digest':
        return member.remote.onDigest(frame)
      case 'pull':
        this.#sender.send(member.remote.peer.nodeId, this.#local.snapshot())
        return undefined
      case 'snapshot-begin':
        return member.remote.onSnapshotBegin(frame)
      case 'snapshot-part':
        return member.remote.onSnapshotPart(frame.filters, frame.checksum)
      case 'snapshot-end':
        return member.remote.onSnapshotEnd()
      case 'confirm':
        return this.#onConfirm(member, frame.incarnation, frame.sequence)
    }
  }

  #onConfirm(member: MemberInterest, incarnation: Incarnation, sequence: number): string | undefined {
    if (incarnation !== this.#self?.incarnation || sequence > this.#local.summary().sequence) {
      return 'a confirmation of what was never announced'
    }
    member.hasConfirmed = true
    this.#changed()
    return undefined
  }

  #sendDigests(): void {
    for (const [nodeId, { isLinkUp }] of this.#members) if (isLinkUp) this.#sendDigest(nodeId)
  }

  #sendDigest(nodeId: NodeId): void {
    if (this.#self === undefined) return
    this.#components.transport.send(nodeId, 'interest', encodeSummary('digest', this.#local.summary()))
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
