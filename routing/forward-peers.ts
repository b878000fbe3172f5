/**
 * Who publications are forwarded to, or kept for: the members, the nodes that are away, and those that are forgotten.
 *
 * It makes their queues and decides what becomes of them when members come and go; it sends nothing, and reads no frames. A
 * peer once known is remembered, so that numbering goes on should it return. Invariant: for a node that was a member, and
 * neither left holding nothing nor was forgotten, everything at QoS ≥ 1 is kept; beyond `limits.awayNodesMax` nodes away, the
 * one longest gone is forgotten, and counted.
 */
import type { Incarnation, NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { OutboxJournal } from '../src/core/ports/outbox-journal.ts'
import type { PeerAddress } from '../src/core/ports/peer-transport.ts'
import { isForGroup, qosOf } from './forward-codec.ts'
import { ForwardPeer } from './forward-peer.ts'
import type { ForwarderStats, ForwardQueueStatus } from './forwarder-stats.ts'
import type { LatencyHistogram } from './latency-histogram.ts'
import { Outbox } from './outbox.ts'
import { PeerQueue, type OutboxLimits, type Undelivered } from './peer-queue.ts'

interface PeersComponents {
  readonly outboxJournal: OutboxJournal
  readonly clock: Clock
  readonly logger: Logger
  readonly stats: ForwarderStats
  /** As `PeerQueueComponents.latency`. */
  readonly latency: LatencyHistogram
}

/** Whoever sends what is in the queues. Told in the turn in which it happens. */
export interface ForwardPeersListener {
  /** More of a peer's outbox has been read, and some of it may have expired. */
  onRefilled(nodeId: NodeId, peer: ForwardPeer): void
  /** A queue that was full has room. */
  onRoom(): void
  /** A member is gone, and another one may have this, which was for a shared subscription. */
  onTakenBack(nodeId: NodeId, undelivered: Undelivered): void
  /** Nothing is kept for the node any more. */
  onForgotten(): void
}

export class ForwardPeers {
  readonly #components: PeersComponents
  readonly #limits: OutboxLimits
  readonly #listener: ForwardPeersListener
  readonly #byId = new Map<NodeId, ForwardPeer>()
  /** In the order in which they went. */
  readonly #away = new Set<NodeId>()
  #members: readonly NodeId[] = []

  constructor(components: PeersComponents, outboxLimits: OutboxLimits, listener: ForwardPeersListener) {
    this.#components = components
    this.#limits = outboxLimits
    this.#listener = listener
  }

  /** All of them; live. */
  get byId(): ReadonlyMap<NodeId, ForwardPeer> {
    return this.#byId
  }

  /** Live members, self left out. */
  get members(): readonly NodeId[] {
    return this.#members
  }

  /** Nodes that are gone and for which publications at QoS ≥ 1 are kept: their interest must stay in the remote index. */
  get awayNodes(): readonly NodeId[] {
    return [...this.#away]
  }

  isMember(nodeId: NodeId): boolean {
    return this.#byId.get(nodeId)?.presence === 'member'
  }

  /** What waits for each node, for metrics and status displays. */
  queues(): readonly ForwardQueueStatus[] {
    return Array.from(this.#byId.values(), peer => peer.status())
  }

  /** Finds the outboxes an earlier life of this node left. Before anything is forwarded. */
  async restore(): Promise<void> {
    const outboxes = new Map<NodeId, Outbox>()
    for await (const { nodeId, record } of this.#components.outboxJournal.load()) {
      let outbox = outboxes.get(nodeId)
      if (outbox === undefined) outboxes.set(nodeId, (outbox = this.#newOutbox(nodeId)))
      outbox.restore(record)
    }
    for (const [nodeId, outbox] of outboxes) this.#setAway(nodeId, this.#add(nodeId, 0, outbox))
  }

  /** Replaces the members. For one that is gone everything is kept on disk, unless it said it holds nothing. */
  setMembers(members: readonly PeerAddress[]): void {
    const now = new Set(members.map(({ nodeId }) => nodeId))
    this.#members = [...now]
    for (const [nodeId, peer] of this.#byId) {
      if (peer.presence === 'member' && !now.has(nodeId)) this.#onGone(nodeId, peer)
    }
    for (const { nodeId, incarnation } of members) {
      const peer = this.#byId.get(nodeId) ?? this.#add(nodeId, incarnation, this.#newOutbox(nodeId))
      if (peer.incarnation !== incarnation) peer.restarted(incarnation)
      if (peer.presence === 'member') continue
      peer.presence = 'member'
      this.#away.delete(nodeId)
      peer.queue.setAway(false)
    }
  }

  /** Keeps everything for a node that was a member before this life of the process. False when more is known of it here. */
  expectBack(nodeId: NodeId): boolean {
    if (this.#byId.has(nodeId)) return false
    this.#setAway(nodeId, this.#add(nodeId, 0, this.#newOutbox(nodeId)))
    return true
  }

  /** Gives up what is kept for a node, and keeps nothing more until it is a member again. False when it is a member. */
  forget(nodeId: NodeId): boolean {
    const peer = this.#byId.get(nodeId)
    if (peer?.presence === 'member') return false
    if (peer !== undefined) this.#discard(nodeId, peer)
    return true
  }

  /** What is in an outbox stays there for the next life. */
  stop(): void {
    for (const peer of this.#byId.values()) {
      peer.cancelWatch()
      peer.queue.stop()
    }
  }

  #newOutbox(nodeId: NodeId): Outbox {
    return new Outbox(nodeId, this.#components.outboxJournal)
  }

  #add(nodeId: NodeId, incarnation: Incarnation, outbox: Outbox): ForwardPeer {
    const peer = new ForwardPeer(
      nodeId,
      incarnation,
      new PeerQueue({ ...this.#components, limits: this.#limits }, outbox),
      () => this.#listener.onRefilled(nodeId, peer),
      () => this.#listener.onRoom(),
    )
    this.#byId.set(nodeId, peer)
    return peer
  }

  #onGone(nodeId: NodeId, peer: ForwardPeer): void {
    // What was not read back from the outbox would be lost for shared subscriptions; it is refused when the node is back.
    if (peer.isLeaving && peer.queue.isInMemory) {
      // It has accepted all that it gave to a member.
      const shared = peer.queue.takeBack(({ frame }) => isForGroup(frame))
      this.#discard(nodeId, peer)
      for (const undelivered of shared) this.#listener.onTakenBack(nodeId, undelivered)
      return
    }
    peer.cancelWatch()
    // QoS 2 never to two members [MQTT-4.8.2-5].
    const shared = peer.queue.takeBack(
      ({ frame, isSent, position }) => position === 0 && isForGroup(frame) && !(isSent && qosOf(frame) === 2),
    )
    this.#setAway(nodeId, peer)
    for (const undelivered of shared) this.#listener.onTakenBack(nodeId, undelivered)
    this.#components.logger.info('a member is gone: what its sessions are sent is kept for its return', {
      nodeId,
      kept: peer.queue.outboxCount,
    })
  }

  #setAway(nodeId: NodeId, peer: ForwardPeer): void {
    peer.presence = 'away'
    peer.queue.setAway(true)
    peer.updateFull()
    this.#away.add(nodeId)
    if (this.#away.size <= limits.awayNodesMax) return
    for (const oldest of this.#away) {
      this.forget(oldest)
      break
    }
  }

  #discard(nodeId: NodeId, peer: ForwardPeer): void {
    peer.presence = 'forgotten'
    this.#away.delete(nodeId)
    peer.cancelWatch()
    const count = peer.queue.discard()
    peer.updateFull()
    this.#listener.onForgotten()
    if (count === 0) return
    this.#components.stats.abandoned += count
    this.#components.logger.warn('a node was forgotten with messages it had not accepted: they are lost', {
      nodeId,
      count,
    })
  }
}
