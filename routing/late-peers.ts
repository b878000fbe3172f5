/**
 * Members that accept nothing for `acceptTimeoutMs`: what waits for them goes to disk, and the log says who they are.
 *
 * It sends nothing. Invariant: whoever is logged as late is logged once more when all that waited has been accepted; a peer
 * that is late again and again is named once in `NAMED_AGAIN_MS`, and counted each time.
 */
import type { NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { ForwardPeer } from './forward-peer.ts'
import type { ForwarderStats } from './forwarder-stats.ts'

const NAMED_AGAIN_MS = 60_000

interface LatePeersComponents {
  readonly clock: Clock
  readonly logger: Logger
  readonly stats: Pick<ForwarderStats, 'lateness'>
}

export class LatePeers {
  readonly #components: LatePeersComponents
  readonly #acceptTimeoutMs: number
  /** Named as late, and not caught up yet; with when that began, ms of the clock. */
  readonly #named = new Map<NodeId, number>()
  readonly #mayBeNamedAtMs = new Map<NodeId, number>()

  constructor(components: LatePeersComponents, acceptTimeoutMs: number) {
    this.#components = components
    this.#acceptTimeoutMs = acceptTimeoutMs
  }

  /** Something was added to the peer's queue. */
  watch(peer: ForwardPeer): void {
    peer.watchLateness(this.#components.clock, this.#acceptTimeoutMs, this.#onLate)
  }

  /** The peer accepted something. */
  accepted({ nodeId, queue }: ForwardPeer): void {
    if (this.#named.size === 0 || queue.isDurable) return
    const sinceMs = this.#named.get(nodeId)
    if (sinceMs === undefined) return
    this.#named.delete(nodeId)
    const { clock, logger } = this.#components
    logger.info('a member that was late has caught up: it has accepted all that waited for it', {
      peer: nodeId,
      lateMs: Math.round(clock.now() - sinceMs),
    })
  }

  readonly #onLate = (peer: ForwardPeer): void => {
    const { clock, logger, stats } = this.#components
    const { nodeId, queue } = peer
    stats.lateness++
    const nowMs = clock.now()
    if (nowMs >= (this.#mayBeNamedAtMs.get(nodeId) ?? 0)) {
      this.#mayBeNamedAtMs.set(nodeId, nowMs + NAMED_AGAIN_MS)
      this.#named.set(nodeId, nowMs)
      logger.warn('a member is late: what it is sent goes through an outbox on disk until it has caught up', {
        peer: nodeId,
        acceptTimeoutMs: this.#acceptTimeoutMs,
        waiting: queue.count,
      })
    }
    queue.makeDurable()
    peer.updateFull()
  }
}
