/**
 * Finds out when the other nodes have nothing left of what they had for this node at some moment, outboxes included, and
 * answers them the same question (FLUSH and FLUSHED in WIRE.md).
 *
 * Each question asked here begins a round; one is under way per peer, and a later one covers all before it. Peers are those
 * of the forwarder: one without a link, or gone with something for this node on its disk, is asked when it is back. It
 * sends no publications. Invariant: a peer counts as flushed only by what it said on the link it was asked on, about its
 * queue as it was after the round began.
 */
import type { NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { PeerTransport } from '../src/core/ports/peer-transport.ts'
import type { FlushScope } from '../src/core/ports/routing.ts'
import { encodePosition, frameKind } from './forward-codec.ts'
import type { ForwardPeer } from './forward-peer.ts'

interface Wait {
  readonly round: number
  readonly scope: FlushScope
  readonly done: () => void
}

export class FlushRounds {
  readonly #transport: Pick<PeerTransport, 'send'>
  readonly #clock: Clock
  readonly #peers: ReadonlyMap<NodeId, ForwardPeer>
  #round = 0
  #waits: Wait[] = []
  #isCheckDue = false

  constructor(
    ports: { readonly transport: Pick<PeerTransport, 'send'>; readonly clock: Clock },
    peers: ReadonlyMap<NodeId, ForwardPeer>,
  ) {
    this.#transport = ports.transport
    this.#clock = ports.clock
    this.#peers = peers
  }

  /** As `Forwarder.whenFlushed`. */
  whenFlushed(scope: FlushScope, done: () => void): void {
    this.#waits.push({ round: ++this.#round, scope, done })
    for (const [nodeId, peer] of this.#peers) this.ask(nodeId, peer)
    this.changed()
  }

  /** Asks a peer, unless it was asked and has not answered, or nothing is open. To be repeated when it can be asked. */
  ask(nodeId: NodeId, { flush, isResumed }: ForwardPeer): void {
    const isDue = this.#waits.length > 0 && flush.flushed < this.#round && flush.asked <= flush.flushed
    if (!isDue || !isResumed) return
    const frame = encodePosition(frameKind.flush, this.#round)
    if (this.#transport.send(nodeId, 'forward', frame)) flush.asked = this.#round
  }

  /** The peer's link is gone: it is asked again, and forgets what it asked. */
  linkDown({ flush }: ForwardPeer): void {
    flush.asked = Math.min(flush.asked, flush.flushed)
    flush.token = 0
  }

  /** The peer answers. False: it was not asked that. */
  onFlushed(nodeId: NodeId, peer: ForwardPeer, token: number): boolean {
    const { flush } = peer
    if (token === 0 || token > flush.asked) return false
    flush.flushed = Math.max(flush.flushed, token)
    this.ask(nodeId, peer)
    this.changed()
    return true
  }

  /** The peer asks about this node's queue for it. */
  onFlush(nodeId: NodeId, peer: ForwardPeer, token: number): boolean {
    if (token === 0) return false
    peer.flush.token = token
    peer.flush.end = peer.queue.end
    this.answer(nodeId, peer)
    return true
  }

  /** Answers the peer if it may be; to be repeated when its queue has moved, or what goes to it has drained. */
  answer(nodeId: NodeId, { flush, queue }: ForwardPeer): void {
    if (flush.token === 0 || !queue.hasPassed(flush.end)) return
    const frame = encodePosition(frameKind.flushed, flush.token)
    if (this.#transport.send(nodeId, 'forward', frame)) flush.token = 0
  }

  /** Who is to be waited for, or what they have said, is different from before. */
  changed(): void {
    if (this.#isCheckDue || this.#waits.length === 0) return
    this.#isCheckDue = true
    this.#clock.defer(() => this.#check())
  }

  #check(): void {
    this.#isCheckDue = false
    const flushed = { members: Infinity, all: Infinity }
    for (const { presence, flush } of this.#peers.values()) {
      if (presence === 'forgotten') continue
      flushed.all = Math.min(flushed.all, flush.flushed)
      if (presence === 'member') flushed.members = Math.min(flushed.members, flush.flushed)
    }
    const ready = this.#waits.filter(({ round, scope }) => round <= flushed[scope])
    if (ready.length === 0) return
    this.#waits = this.#waits.filter(({ round, scope }) => round > flushed[scope])
    for (const { done } of ready) done()
  }
}
