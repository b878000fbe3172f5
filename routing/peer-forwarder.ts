/**
 * Carries publications between brokers over the transport's "forward" channel.
 *
 * QoS 0 is sent or dropped. QoS ≥ 1 is numbered per peer, kept until the peer accepted it (in memory, or in the peer's outbox
 * once it is late or its node gone), and sent again in order on every new link; the receiving side delivers each sequence
 * once and accepts after its journal committed. It chooses no routes; who the peers are is decided in `ForwardPeers`. Invariant:
 * an acceptance it was given is settled exactly once: when the peer has the publication, when the outbox's disk will, or,
 * counted, when neither is to be.
 */
import type { ClientId, Incarnation, NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { OutboxJournal } from '../src/core/ports/outbox-journal.ts'
import type { PeerAddress, PeerTransport } from '../src/core/ports/peer-transport.ts'
import type { PlainPacketReader } from '../src/core/ports/plain-packet-reader.ts'
import type { RetainedSink } from '../src/core/ports/retained.ts'
import type { Acceptance, Debt, Forwarder, SharedTarget } from '../src/core/ports/routing.ts'
import type { SessionJournal } from '../src/core/ports/session-journal.ts'
import type { PlainPacket, Publication } from '../src/core/publication.ts'
import {
  decodePosition,
  decodePublish,
  encodePublish,
  forgetFrame,
  frameKind,
  hasPackets,
  headOfPackets,
  isForGroup,
  isPublish,
  stampPublish,
} from './forward-codec.ts'
import type { ForwardPeer } from './forward-peer.ts'
import { ForwardPeers } from './forward-peers.ts'
import { newForwarderStats } from './forwarder-stats.ts'
import { FlushRounds } from './flush-rounds.ts'
import { ForwardReceiver, type ReceiverStats } from './forward-receiver.ts'
import { LatencyHistogram } from './latency-histogram.ts'
import { LatePeers } from './late-peers.ts'
import type { LocalRouter } from './local-router.ts'
import type { OutgoingForward } from './outgoing-forwards.ts'
import type { OutboxLimits, Undelivered } from './peer-queue.ts'
import { PublisherDebts } from './publisher-debts.ts'
import type { UndeliveredListener } from './shared-groups.ts'
import type { TracePoint } from './trace-point.ts'

export interface ForwarderComponents {
  /** Whether that node knows this node's interest. Without it, all do. */
  readonly isKnownTo?: (nodeId: NodeId) => boolean
  readonly transport: PeerTransport
  readonly local: LocalRouter
  readonly packets: PlainPacketReader
  readonly retained: RetainedSink
  readonly journal: Pick<SessionJournal, 'appended' | 'committed' | 'onCommitted'>
  readonly outboxJournal: OutboxJournal
  readonly clock: Clock
  readonly logger: Logger
}

export interface ForwarderOptions extends OutboxLimits {
  /** A peer that has not accepted a publication by then gets it, and what follows, through its outbox. */
  readonly acceptTimeoutMs: number
}

export class PeerForwarder implements Forwarder {
  readonly stats = newForwarderStats()
  readonly receiverStats: ReceiverStats
  /** Time from a publication's forwarding to its acceptance by the peer, outboxes left aside. */
  readonly acceptLatency = new LatencyHistogram()
  readonly peers: ForwardPeers
  /** `peers.byId`, which is asked for every publication. */
  readonly #byId: ReadonlyMap<NodeId, ForwardPeer>
  readonly #components: ForwarderComponents
  readonly #flushes: FlushRounds
  readonly #late: LatePeers
  readonly #debts: PublisherDebts
  /** Incarnations whose link is up, members here or not yet. */
  readonly #links = new Map<NodeId, Incarnation>()
  readonly #writableListeners: (() => void)[] = []
  readonly #receiver: ForwardReceiver
  #onUndelivered: UndeliveredListener = () => undefined
  #onTrace: (from: NodeId, frame: Uint8Array) => boolean = () => true
  readonly #point: TracePoint
  #isStopped = false
  // The last publication and its frame: it usually goes to several peers in a row.
  #encoded: Publication | undefined
  #frame: Uint8Array = new Uint8Array(0)

  constructor(components: ForwarderComponents, options: ForwarderOptions) {
    this.#components = components
    const { transport, journal } = components
    this.#point = components.local.point
    this.#receiver = new ForwardReceiver(components)
    this.receiverStats = this.#receiver.stats
    this.peers = new ForwardPeers(
      { ...components, stats: this.stats, latency: this.acceptLatency },
      options,
      {
        onRefilled: (nodeId, peer) => {
          this.#sendWaiting(nodeId, peer)
          this.#flushes.answer(nodeId, peer)
        },
        onRoom: () => {
          for (const listener of this.#writableListeners) listener()
        },
        onTakenBack: (nodeId, undelivered) => this.#redispatch(nodeId, undelivered),
        onForgotten: () => this.#flushes.changed(),
      },
    )
    this.#byId = this.peers.byId
    this.#late = new LatePeers({ ...components, stats: this.stats }, options.acceptTimeoutMs)
    this.#flushes = new FlushRounds(components, this.#byId)
    this.#debts = new PublisherDebts(
      { ...components, receiver: this.#receiver, stats: this.stats },
      this.#byId,
      (nodeId, peer) => this.#added(nodeId, peer),
    )
    transport.onFrame('forward', (from, frame) => this.#onFrame(from, frame))
    transport.onDrain((nodeId, channel) => {
      if (channel === 'forward') this.#onDrain(nodeId)
    })
    transport.addPeerListener({
      onPeerUp: peer => this.#onPeerUp(peer),
      onPeerDown: peer => this.#onPeerDown(peer),
    })
    journal.onCommitted(upTo => this.#onCommitted(upTo))
  }

  get members(): readonly NodeId[] {
    return this.peers.members
  }

  /** Whether nothing is left that some node has not accepted. */
  get owesNothing(): boolean {
    return [...this.#byId.values()].every(({ queue }) => queue.count === 0)
  }

  get heldBack(): number {
    return this.stats.heldBack
  }

  whenFlushed(heard: (owing: readonly NodeId[]) => void): void {
    this.#flushes.whenFlushed(heard)
  }

  onWritable(listener: () => void): void {
    this.#writableListeners.push(listener)
  }

  /** One listener of TRACE frames, which answers whether one is sound. */
  onTrace(listener: (from: NodeId, frame: Uint8Array) => boolean): void {
    this.#onTrace = listener
  }

  /** One listener: told, in the turn in which it shows, what it must route anew before it returns. */
  onUndelivered(listener: UndeliveredListener): void {
    this.#onUndelivered = listener
  }

  /** Replaces the members, as `ForwardPeers.setMembers`, and greets those there are links with. */
  setMembers(members: readonly PeerAddress[]): void {
    this.peers.setMembers(members)
    for (const { nodeId } of members) this.#greet(nodeId)
    this.#flushes.changed()
  }

  /**
   * Tells the peers that this life ends and nothing need be kept for it: there are no sessions to come back to. What it has not
   * accepted before that was given to nobody here.
   */
  farewell(): void {
    this.#receiver.tellAccepted()
    for (const nodeId of this.#links.keys()) this.#components.transport.send(nodeId, 'forward', forgetFrame())
  }

  /** Takes and gives nothing more; what is in an outbox stays there for the next life. */
  stop(): void {
    this.#isStopped = true
    this.peers.stop()
  }

  forward(nodeId: NodeId, publication: Publication, acceptance: Acceptance | undefined): void {
    this.#forwardTo(nodeId, publication, undefined, acceptance, 0)
  }

  forwardToGroup(
    nodeId: NodeId,
    publication: Publication,
    target: SharedTarget,
    acceptance: Acceptance | undefined,
    attempt: number,
  ): void {
    this.#forwardTo(nodeId, publication, target, acceptance, attempt)
  }

  debtsOf(publisher: ClientId): Promise<readonly Debt[]> | undefined {
    return this.#debts.of(publisher)
  }

  /** As `PublishRouter.takeOver`. `self`: this node. */
  takeOver(self: NodeId, publisher: ClientId, debts: readonly Debt[], acceptance: Acceptance): void {
    if (!this.#isStopped) this.#debts.takeOver(self, publisher, debts, acceptance)
  }

  #forwardTo(
    nodeId: NodeId,
    publication: Publication,
    target: SharedTarget | undefined,
    acceptance: Acceptance | undefined,
    attempt: number,
  ): void {
    const peer = this.#byId.get(nodeId)
    if (peer === undefined || peer.presence === 'forgotten' || this.#isStopped) return // left in this very turn
    const { current } = this.#point
    if (current === undefined) {
      const { packet } = publication
      if (packet !== undefined && target === undefined) {
        this.#forwardPacket(nodeId, packet)
        return
      }
      const frame = target === undefined ? this.#encode(publication) : encodePublish(publication, target)
      this.#forward(nodeId, peer, publication, frame, acceptance, attempt)
      return
    }
    const traced = current.forward(nodeId, publication, target, acceptance)
    const before = this.stats.sent
    this.#forward(nodeId, peer, publication, traced.frame, traced.acceptance, attempt)
    if (publication.qos === 0) traced.done(this.stats.sent > before)
  }

  /** As it came: nothing is encoded here, and hardly anything decoded there. */
  #forwardPacket(nodeId: NodeId, { bytes, start, end, isVersion5 }: PlainPacket): void {
    const head = headOfPackets(isVersion5)
    if (this.#components.transport.sendPiece(nodeId, 'forward', head, bytes, start, end)) this.stats.sent++
    else this.stats.dropped++
  }

  #forward(
    nodeId: NodeId,
    peer: ForwardPeer,
    { qos, expiresAtMs, publisher }: Publication,
    frame: Uint8Array,
    acceptance: Acceptance | undefined,
    attempt: number,
  ): void {
    if (qos === 0) {
      stampPublish(frame, 0, this.#remainingMs(expiresAtMs))
      if (this.#components.transport.send(nodeId, 'forward', frame)) this.stats.sent++
      else this.stats.dropped++
      return
    }
    peer.queue.add(frame, expiresAtMs, acceptance, attempt, isForGroup(frame) ? '' : publisher)
    this.#added(nodeId, peer)
  }

  #added(nodeId: NodeId, peer: ForwardPeer): void {
    this.#sendWaiting(nodeId, peer)
    this.#late.watch(peer)
    peer.updateFull()
    if (peer.isFull) this.stats.heldBack++
  }

  #encode(publication: Publication): Uint8Array {
    if (this.#encoded !== publication) {
      this.#encoded = publication
      this.#frame = encodePublish(publication)
    }
    return this.#frame
  }

  #remainingMs(expiresAtMs: number | undefined): number {
    return expiresAtMs === undefined ? 0 : Math.max(0, expiresAtMs - this.#components.clock.wallNow())
  }

  #sendWaiting(nodeId: NodeId, peer: ForwardPeer): void {
    if (!peer.isResumed || this.#isStopped) return
    const { transport } = this.#components
    const { queue } = peer
    for (let next = queue.next; next !== undefined; next = queue.next) {
      if (next.gate !== undefined && !this.#mayLeave(peer, next)) return
      stampPublish(next.frame, next.sequence, this.#remainingMs(next.expiresAtMs))
      if (!transport.send(nodeId, 'forward', next.frame)) return
      this.stats.sent++
      if (next.frame[0] === frameKind.tracedPublish) this.#point.tracer?.sent(next.frame)
      queue.advance()
    }
    if (queue.isDurable) queue.refill(peer.onRefilled)
  }

  /** Before its receipt is on disk a publication at QoS 2 stays here: repeated after a crash, it would be another one. */
  #mayLeave(peer: ForwardPeer, entry: OutgoingForward): boolean {
    peer.isHeldBack = (entry.gate?.sendAfter ?? 0) > this.#components.journal.committed
    if (!peer.isHeldBack) entry.gate = undefined
    return !peer.isHeldBack
  }

  #onPeerUp({ nodeId, incarnation }: PeerAddress): void {
    this.#links.set(nodeId, incarnation)
    this.#greet(nodeId)
  }

  /** When both the link and the membership know the peer. */
  #greet(nodeId: NodeId): void {
    const peer = this.#byId.get(nodeId)
    if (peer === undefined || this.#links.get(nodeId) !== peer.incarnation) return
    this.#receiver.greet(nodeId, peer.incarnation)
  }

  #onPeerDown({ nodeId, incarnation }: PeerAddress): void {
    if (this.#links.get(nodeId) === incarnation) this.#links.delete(nodeId)
    // The link may end because another life, or an earlier one in an older state of the store, is the member by now.
    this.#receiver.linkDown(nodeId, incarnation)
    const peer = this.#byId.get(nodeId)
    if (peer?.incarnation !== incarnation) return
    peer.isResumed = false
    this.#flushes.linkDown(peer)
  }

  #onDrain(nodeId: NodeId): void {
    const peer = this.#byId.get(nodeId)
    if (peer === undefined) return
    this.#greet(nodeId)
    this.#sendWaiting(nodeId, peer)
    this.#receiver.tellAccepted()
    this.#flushes.ask(nodeId, peer)
    this.#flushes.answer(nodeId, peer)
  }

  #onFrame(from: PeerAddress, frame: Uint8Array): void {
    const peer = this.#byId.get(from.nodeId)
    if (peer === undefined || peer.incarnation !== from.incarnation || this.#isStopped) return
    const isSound = hasPackets(frame)
      ? this.#receiver.takePackets(from.nodeId, frame)
      : isPublish(frame)
        ? this.#receiver.take(from.nodeId, frame)
        : this.#onControl(from, peer, frame)
    if (isSound) return
    this.stats.rejected++
    const reason =
      frame[0] === frameKind.publishWithoutId
        ? 'it runs an older version, whose messages have no ids: upgrade that node'
        : 'malformed forward frame'
    this.#components.transport.disconnect(from.nodeId, reason)
  }

  #onControl(from: PeerAddress, peer: ForwardPeer, frame: Uint8Array): boolean {
    if (frame[0] === frameKind.trace) return this.#onTrace(from.nodeId, frame)
    if (frame[0] === frameKind.forget) {
      peer.isLeaving = true
      return frame.length === 1
    }
    const sequence = decodePosition(frame)
    if (frame[0] === frameKind.refuse && sequence !== undefined) {
      const undelivered = peer.queue.refused(sequence)
      if (undelivered !== undefined) this.#redispatch(from.nodeId, undelivered)
      return true
    }
    if (sequence === undefined) return false
    if (frame[0] === frameKind.flush) return this.#flushes.onFlush(from.nodeId, peer, sequence)
    if (frame[0] === frameKind.flushed) return this.#flushes.onFlushed(from.nodeId, peer, sequence)
    if (frame[0] !== frameKind.accept && frame[0] !== frameKind.resume) return false
    if (!peer.queue.accept(sequence)) return false
    this.#late.accepted(peer)
    if (frame[0] === frameKind.resume) {
      peer.queue.rewind()
      peer.isResumed = true
      this.#flushes.ask(from.nodeId, peer)
    }
    if (frame[0] === frameKind.resume || peer.queue.isDurable) this.#sendWaiting(from.nodeId, peer)
    this.#flushes.answer(from.nodeId, peer)
    peer.updateFull()
    return true
  }

  /** Another node gets it; whoever waits for it waits for that node. */
  #redispatch(nodeId: NodeId, { frame, expiresAtMs, acceptance, attempt }: Undelivered): void {
    stampPublish(frame, 1, 0) // it may never have been sent
    const decoded = decodePublish(frame, 0)
    // Else a peer refused what was not for a shared subscription.
    if (decoded?.target !== undefined) {
      const publication = { ...decoded.publication, expiresAtMs }
      this.#onUndelivered(nodeId, publication, decoded.target, acceptance, attempt + 1)
    }
    acceptance?.settle()
  }

  #onCommitted(upTo: number): void {
    this.#receiver.onCommitted(upTo)
    for (const [nodeId, peer] of this.#byId) {
      if (peer.queue.isDurable) peer.queue.onCommitted(upTo)
      if (peer.queue.isDurable || peer.isHeldBack) this.#sendWaiting(nodeId, peer)
    }
  }
}
