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
import { encodePosition, frameKind } from './forward-codec.ts'
import type { ForwardPeer } from './forward-peer.ts'

interface Wait {
  readonly round: number
  readonly heard: (owing: readonly NodeId[]) => void
  /** Gone, and still to say so. */
  owing: readonly NodeId[]
}

export class FlushRounds {
  readonly #transport: Pick<PeerTransport, 'send'>
  readonly #clock: Clock
  readonly #peers: ReadonlyMap<NodeId, ForwardPeer>
  #round = 0
  /** Not all live nodes have answered; in the order of their rounds, as below. */
  #waits: Wait[] = []
  /** Those in which one that is gone has not. */
  readonly #owed = new Map<NodeId, Wait[]>()
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
  whenFlushed(heard: Wait['heard']): void {
    this.#waits.push({ round: ++this.#round, heard, owing: [] })
    for (const [nodeId, peer] of this.#peers) this.ask(nodeId, peer)
    this.changed()
  }

  /** Asks a peer, unless it was asked and has not answered, or nothing is open. To be repeated when it can be asked. */
  ask(nodeId: NodeId, { flush, isResumed }: ForwardPeer): void {
    const isAwaited = this.#waits.length > 0 || this.#owed.has(nodeId)
    const isDue = isAwaited && flush.flushed < this.#round && flush.asked <= flush.flushed
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
    if (this.#isCheckDue || (this.#waits.length === 0 && this.#owed.size === 0)) return
    this.#isCheckDue = true
    this.#clock.defer(() => this.#check())
  }

  #check(): void {
    this.#isCheckDue = false
    this.#checkGone()
    let flushed = Infinity
    for (const { presence, flush } of this.#peers.values())
      if (presence === 'member') flushed = Math.min(flushed, flush.flushed)
    const open = this.#waits.findIndex(({ round }) => round > flushed)
    for (const wait of this.#waits.splice(0, open < 0 ? Infinity : open)) {
      wait.owing = this.#owing(wait.round)
      for (const nodeId of wait.owing) {
        const waits = this.#owed.get(nodeId)
        if (waits === undefined) this.#owed.set(nodeId, [wait])
        else waits.push(wait)
      }
      wait.heard(wait.owing)
    }
  }

  /** Those that were gone have answered, or are forgotten. */
  #checkGone(): void {
    for (const [nodeId, waits] of this.#owed) {
      const flushed = this.#flushedOf(nodeId)
      const open = waits.findIndex(({ round }) => round > flushed)
      const answered = waits.splice(0, open < 0 ? Infinity : open)
      if (waits.length === 0) this.#owed.delete(nodeId)
      for (const wait of answered) {
        wait.owing = wait.owing.filter(other => other !== nodeId)
        wait.heard(wait.owing)
      }
    }
  }

  #owing(round: number): readonly NodeId[] {
    const isOwing = (nodeId: NodeId): boolean => this.#flushedOf(nodeId) < round
    return [...this.#peers.keys()].filter(isOwing)
  }

  /** The round in which that node has answered; a forgotten one owes nothing. */
  #flushedOf(nodeId: NodeId): number {
    const peer = this.#peers.get(nodeId)
    return peer === undefined || peer.presence === 'forgotten' ? Infinity : peer.flush.flushed
  }
}
