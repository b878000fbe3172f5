/**
 * Carries publications between brokers over the transport's "forward" channel.
 *
 * QoS 0 is sent or dropped. QoS ≥ 1 is numbered per peer, kept until the peer accepted it, and sent again in order on
 * every new link; the receiving side delivers each sequence once and accepts after its journal committed. It chooses no
 * routes. Invariant: an acceptance it was given is settled exactly once: by the peer, or, counted, when the peer's node left
 * the membership.
 */
import type { Incarnation, NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { PeerAddress, PeerTransport } from '../src/core/ports/peer-transport.ts'
import type { Acceptance, Forwarder } from '../src/core/ports/routing.ts'
import type { SessionJournal } from '../src/core/ports/session-journal.ts'
import type { Publication } from '../src/core/publication.ts'
import {
  decodePosition,
  decodePublish,
  encodePosition,
  encodePublish,
  frameKind,
  stampPublish,
} from './forward-codec.ts'
import { IncomingForwards } from './incoming-forwards.ts'
import type { LocalRouter } from './local-router.ts'
import { OutgoingForwards } from './outgoing-forwards.ts'

interface Peer {
  /** Kept when the node leaves: should the same incarnation return, numbering goes on where it was. */
  isMember: boolean
  incarnation: Incarnation
  readonly outgoing: OutgoingForwards
  incoming: IncomingForwards | undefined
  /** RESUME was sent on the present link. */
  isGreeted: boolean
  /** RESUME came on the present link, so sending may go on. */
  isResumed: boolean
  isFull: boolean
  /** `incoming.accepted` as last told to the peer on this link. */
  toldAccepted: number
}

export interface ForwarderComponents {
  readonly transport: PeerTransport
  readonly local: LocalRouter
  readonly journal: Pick<SessionJournal, 'committed' | 'onCommitted'>
  readonly clock: Clock
  readonly logger: Logger
}

export interface ForwarderStats {
  /** Publications handed to the transport, resends included. */
  sent: number
  /** Publications from peers, duplicates excluded. */
  received: number
  /** QoS 0 not sent: no link, or its queue was full. */
  dropped: number
  /** QoS ≥ 1 received again after a link was lost, not delivered again. */
  duplicates: number
  /** QoS ≥ 1 given up because the peer's node left the membership. */
  abandoned: number
  /** From peers, expired on arrival. */
  expired: number
  /** Malformed frames. */
  rejected: number
}

export class PeerForwarder implements Forwarder {
  readonly stats: ForwarderStats = {
    sent: 0,
    received: 0,
    dropped: 0,
    duplicates: 0,
    abandoned: 0,
    expired: 0,
    rejected: 0,
  }
  readonly #components: ForwarderComponents
  readonly #peers = new Map<NodeId, Peer>()
  /** Incarnations whose link is up, members here or not yet. */
  readonly #links = new Map<NodeId, Incarnation>()
  readonly #writableListeners: (() => void)[] = []
  #fullPeers = 0
  #isAcceptDue = false
  // The last publication and its frame: it usually goes to several peers in a row.
  #encoded: Publication | undefined
  #frame: Uint8Array = new Uint8Array(0)

  constructor(components: ForwarderComponents) {
    this.#components = components
    const { transport, journal } = components
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

  get isFull(): boolean {
    return this.#fullPeers > 0
  }

  onWritable(listener: () => void): void {
    this.#writableListeners.push(listener)
  }

  /** Replaces the set of peers. What waits for a node that is gone is settled and counted as abandoned. */
  setMembers(members: readonly PeerAddress[]): void {
    const now = new Map(members.map(member => [member.nodeId, member]))
    for (const [nodeId, peer] of this.#peers) {
      if (now.has(nodeId) || !peer.isMember) continue
      peer.isMember = false
      const count = peer.outgoing.abandon()
      this.#updateFull(peer)
      if (count === 0) continue
      this.stats.abandoned += count
      this.#components.logger.warn(
        'a member left with messages it had not accepted: they are lost to its clients',
        {
          nodeId,
          count,
        },
      )
    }
    for (const { nodeId, incarnation } of members) {
      const peer = this.#peers.get(nodeId)
      if (peer === undefined) {
        this.#peers.set(nodeId, {
          isMember: true,
          incarnation,
          outgoing: new OutgoingForwards(),
          incoming: undefined,
          isGreeted: false,
          isResumed: false,
          isFull: false,
          toldAccepted: 0,
        })
      } else {
        peer.isMember = true
        if (peer.incarnation !== incarnation) {
          // Restarted: its new life gets what the old one did not accept.
          Object.assign(peer, { incarnation, incoming: undefined, isGreeted: false, isResumed: false })
        }
      }
      this.#greet(nodeId)
    }
  }

  forward(nodeId: NodeId, publication: Publication, acceptance: Acceptance | undefined): void {
    const peer = this.#peers.get(nodeId)
    if (peer?.isMember !== true) return // left the membership in this very turn
    const { transport } = this.#components
    const frame = this.#encode(publication)
    if (publication.qos === 0) {
      stampPublish(frame, 0, this.#remainingMs(publication.expiresAtMs))
      if (transport.send(nodeId, 'forward', frame)) this.stats.sent++
      else this.stats.dropped++
      return
    }
    peer.outgoing.add(frame, publication.expiresAtMs, acceptance)
    this.#sendWaiting(nodeId, peer)
    this.#updateFull(peer)
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

  #sendWaiting(nodeId: NodeId, peer: Peer): void {
    if (!peer.isResumed) return
    const { transport } = this.#components
    for (let next = peer.outgoing.next; next !== undefined; next = peer.outgoing.next) {
      stampPublish(next.frame, next.sequence, this.#remainingMs(next.expiresAtMs))
      if (!transport.send(nodeId, 'forward', next.frame)) return
      this.stats.sent++
      peer.outgoing.advance()
    }
  }

  #updateFull(peer: Peer): void {
    const { count, byteCount } = peer.outgoing
    if (!peer.isFull) {
      if (count < limits.forwardUnacceptedMax && byteCount < limits.peerQueueBytesMax) return
      peer.isFull = true
      this.#fullPeers++
    } else if (count * 2 < limits.forwardUnacceptedMax && byteCount * 2 < limits.peerQueueBytesMax) {
      peer.isFull = false
      this.#fullPeers--
      if (this.#fullPeers === 0) for (const listener of this.#writableListeners) listener()
    }
  }

  #onPeerUp({ nodeId, incarnation }: PeerAddress): void {
    this.#links.set(nodeId, incarnation)
    this.#greet(nodeId)
  }

  /** Says how much this node has accepted, once per link, when both the link and the membership know the peer. */
  #greet(nodeId: NodeId): void {
    const peer = this.#peers.get(nodeId)
    if (peer === undefined || peer.isGreeted || this.#links.get(nodeId) !== peer.incarnation) return
    const accepted = peer.incoming?.accepted ?? 0
    if (!this.#components.transport.send(nodeId, 'forward', encodePosition(frameKind.resume, accepted)))
      return
    peer.isGreeted = true
    peer.toldAccepted = accepted
  }

  #onPeerDown({ nodeId, incarnation }: PeerAddress): void {
    if (this.#links.get(nodeId) === incarnation) this.#links.delete(nodeId)
    const peer = this.#peers.get(nodeId)
    if (peer?.incarnation === incarnation) peer.isGreeted = peer.isResumed = false
  }

  #onDrain(nodeId: NodeId): void {
    const peer = this.#peers.get(nodeId)
    if (peer === undefined) return
    this.#greet(nodeId)
    this.#sendWaiting(nodeId, peer)
    this.#tellAccepted()
  }

  #onFrame(from: PeerAddress, frame: Uint8Array): void {
    const peer = this.#peers.get(from.nodeId)
    if (peer === undefined || peer.incarnation !== from.incarnation) return
    const isSound =
      frame[0] === frameKind.publish ? this.#onPublish(peer, frame) : this.#onPosition(from, peer, frame)
    if (isSound) return
    this.stats.rejected++
    this.#components.transport.disconnect(from.nodeId, 'malformed forward frame')
  }

  #onPublish(peer: Peer, frame: Uint8Array): boolean {
    const { clock, local, journal } = this.#components
    const nowMs = clock.wallNow()
    const decoded = decodePublish(frame, nowMs)
    if (decoded === undefined) return false
    const { sequence, publication } = decoded
    const isExpired = publication.expiresAtMs !== undefined && publication.expiresAtMs <= nowMs
    if (sequence === 0) {
      this.stats.received++
      if (isExpired) this.stats.expired++
      else local.deliver(publication)
      return true
    }
    const incoming = (peer.incoming ??= new IncomingForwards(peer.incarnation))
    if (!incoming.isNew(sequence)) {
      this.stats.duplicates++
      return true
    }
    this.stats.received++
    let storeSequence = 0
    if (isExpired) this.stats.expired++
    else storeSequence = local.deliver(publication)
    incoming.delivered(sequence, storeSequence, journal.committed)
    this.#scheduleAccept()
    return true
  }

  #onPosition(from: PeerAddress, peer: Peer, frame: Uint8Array): boolean {
    const sequence = decodePosition(frame)
    if (sequence === undefined || !peer.outgoing.accept(sequence)) return false
    if (frame[0] === frameKind.resume) {
      peer.outgoing.rewind()
      peer.isResumed = true
      this.#sendWaiting(from.nodeId, peer)
    } else if (frame[0] !== frameKind.accept) {
      return false
    }
    this.#updateFull(peer)
    return true
  }

  #onCommitted(upTo: number): void {
    for (const peer of this.#peers.values()) {
      if (peer.incoming?.committed(upTo) === true) this.#scheduleAccept()
    }
  }

  /** One ACCEPT per peer and tick, however many publications it covers. */
  #scheduleAccept(): void {
    if (this.#isAcceptDue) return
    this.#isAcceptDue = true
    this.#components.clock.defer(this.#acceptDue)
  }

  readonly #acceptDue = (): void => {
    this.#isAcceptDue = false
    this.#tellAccepted()
  }

  #tellAccepted(): void {
    for (const [nodeId, peer] of this.#peers) {
      const accepted = peer.incoming?.accepted ?? 0
      if (!peer.isGreeted || accepted <= peer.toldAccepted) continue
      // A full queue is retried on drain.
      if (this.#components.transport.send(nodeId, 'forward', encodePosition(frameKind.accept, accepted))) {
        peer.toldAccepted = accepted
      }
    }
  }
}
