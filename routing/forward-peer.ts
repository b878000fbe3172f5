import type { Incarnation, NodeId } from '../src/core/ids.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { ForwardQueueStatus } from './forwarder-stats.ts'
import type { PeerQueue } from './peer-queue.ts'

/** A node this one forwards to, or keeps something for. It is remembered: should it return, numbering goes on. */
export class ForwardPeer {
  /** `away`: it vanished, and what its clients want is kept for it. `forgotten`: nothing is. */
  presence: 'member' | 'away' | 'forgotten' = 'member'
  readonly nodeId: NodeId
  incarnation: Incarnation
  readonly queue: PeerQueue
  /** RESUME came on the present link, so sending may go on. */
  isResumed = false
  /** This incarnation said that it leaves and holds nothing. */
  isLeaving = false
  /** What is asked and answered about its queue for this node, and this node's queue for it (flush-rounds.ts). */
  readonly flush = { asked: 0, flushed: 0, token: 0, end: 0 }
  /** As of the last `updateFull`. */
  isFull = false
  /** What is to be sent next waits for a commit of the journal. */
  isHeldBack = false
  /** Made once, so that reading the outbox makes no closures. */
  readonly onRefilled: () => void
  readonly #onRoom: () => void
  /** Runs while publications wait in memory alone. */
  #lateTimer: Timer | undefined

  /** `onRoom`: told by `updateFull` when the queue was full before. */
  constructor(
    nodeId: NodeId,
    incarnation: Incarnation,
    queue: PeerQueue,
    onRefilled: () => void,
    onRoom: () => void,
  ) {
    this.nodeId = nodeId
    this.incarnation = incarnation
    this.queue = queue
    this.onRefilled = onRefilled
    this.#onRoom = onRoom
  }

  /** After every change of the queue that may have filled it, or made room. */
  updateFull(): void {
    const { isFull } = this.queue
    if (isFull === this.isFull) return
    this.isFull = isFull
    if (!isFull) this.#onRoom()
  }

  /** A new life of the node: it gets what the old one did not accept. */
  restarted(incarnation: Incarnation): void {
    this.incarnation = incarnation
    this.isResumed = this.isLeaving = false
    this.flush.asked = Math.min(this.flush.asked, this.flush.flushed)
    this.flush.token = 0
  }

  /** Sees to it that `onLate` is called should a publication wait in memory alone for `timeoutMs`. */
  watchLateness(clock: Clock, timeoutMs: number, onLate: (peer: ForwardPeer) => void): void {
    if (this.#lateTimer === undefined && !this.queue.isDurable)
      this.#watch(clock, timeoutMs, timeoutMs, onLate)
  }

  #watch(clock: Clock, inMs: number, timeoutMs: number, onLate: (peer: ForwardPeer) => void): void {
    this.#lateTimer = clock.schedule(inMs, () => {
      this.#lateTimer = undefined
      const leftMs = this.queue.msUntilLate(timeoutMs)
      if (leftMs === undefined) return
      // What rounding leaves over may be too little to move a clock at all.
      if (leftMs > 0) this.#watch(clock, Math.max(1, leftMs), timeoutMs, onLate)
      else onLate(this)
    })
  }

  status(): ForwardQueueStatus {
    const { nodeId, queue, presence } = this
    return {
      nodeId,
      presence,
      waiting: queue.count,
      isThroughOutbox: queue.isDurable,
      isFull: queue.isFull,
      outboxMessages: queue.outboxCount,
      outboxBytes: queue.outboxByteCount,
    }
  }

  cancelWatch(): void {
    this.#lateTimer?.cancel()
    this.#lateTimer = undefined
  }
}
