/**
 * The way of this node's deltas to the others: by gossip as long as the whole cluster's gossip stays below its limit,
 * else by stream to each peer.
 *
 * Knows nothing of what the messages say and keeps none: what is lost either way a digest finds. Invariant: the more peers
 * a delta is streamed to, the fewer deltas there are.
 */
import { limits } from '../src/core/limits.ts'
import type { NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { Gossip } from '../src/core/ports/gossip.ts'
import type { PeerTransport } from '../src/core/ports/peer-transport.ts'
import { encodeStreamedDelta } from './interest-frame-codec.ts'
import type { InterestStats } from './interest-stats.ts'

/** Frames a node sends per second at most when all its deltas go by stream: one peer's costs this much of an interval. */
export const STREAM_MS_PER_PEER = 0.5
/** Over about this time the cluster's gossip messages are counted. */
const RATE_WINDOW_MS = 1000

export interface DeltaSpreaderComponents {
  readonly gossip: Gossip
  readonly transport: PeerTransport
  readonly clock: Clock
  readonly stats: InterestStats
  /** Peers with a link. */
  readonly linked: () => Iterable<NodeId>
}

export class DeltaSpreader {
  readonly #components: DeltaSpreaderComponents
  /** Messages within the window, those longer ago counting less. */
  #recent = 0
  #recentAsOfMs: number

  constructor(components: DeltaSpreaderComponents) {
    this.#components = components
    this.#recentAsOfMs = components.clock.now()
  }

  /** What the interval between batches must be at least with so many peers. */
  intervalMs(batchIntervalMs: number, peers: number): number {
    return this.#isGossipFree() ? batchIntervalMs : Math.max(batchIntervalMs, peers * STREAM_MS_PER_PEER)
  }

  /** A message of some member came by gossip. */
  heard(): void {
    this.#age()
    this.#recent++
  }

  spread(messages: readonly Uint8Array[]): void {
    const { gossip, stats } = this.#components
    for (const message of messages) {
      if (this.#isGossipFree()) {
        this.#recent++
        stats.deltasSent++
        gossip.publish(message) // what is lost, a digest tells
      } else {
        this.#stream(encodeStreamedDelta(message))
      }
    }
  }

  #stream(frame: Uint8Array): void {
    const { transport, stats, linked } = this.#components
    for (const nodeId of linked()) if (transport.send(nodeId, 'interest', frame)) stats.deltasStreamed++
  }

  #isGossipFree(): boolean {
    this.#age()
    return this.#recent < limits.gossipMessagesPerSecondMax
  }

  #age(): void {
    const nowMs = this.#components.clock.now()
    this.#recent *= Math.exp((this.#recentAsOfMs - nowMs) / RATE_WINDOW_MS)
    this.#recentAsOfMs = nowMs
  }
}
