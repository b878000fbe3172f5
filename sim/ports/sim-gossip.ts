import { limits } from '../../src/core/limits.ts'
import type { Clock } from '../../src/core/ports/clock.ts'
import type { Gossip, GossipListener } from '../../src/core/ports/gossip.ts'

const LATENCY_MS = 1

/** A faultless broadcast among its members: every message reaches every other member once, in order, after 1 ms. */
export class SimGossipBus {
  readonly #clock: Clock
  readonly #members = new Set<SimGossip>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A new member of the cluster, with the peer id of its transport. */
  member(peerId: string): SimGossip {
    const member = new SimGossip(
      message => this.#spread(member, peerId, message),
      () => this.#members.delete(member),
    )
    this.#members.add(member)
    return member
  }

  #spread(from: SimGossip, peerId: string, message: Uint8Array): void {
    for (const member of this.#members) {
      if (member !== from) this.#clock.schedule(LATENCY_MS, () => member.deliver(message, peerId))
    }
  }
}

/** One member's view of a `SimGossipBus`. */
export class SimGossip implements Gossip {
  readonly #spread: (message: Uint8Array) => void
  readonly #leave: () => void
  #listener: GossipListener | undefined
  #closed = false

  constructor(spread: (message: Uint8Array) => void, leave: () => void) {
    this.#spread = spread
    this.#leave = leave
  }

  publish(message: Uint8Array): boolean {
    if (this.#closed || message.length > limits.gossipMessageBytesMax) return false
    this.#spread(new Uint8Array(message))
    return true
  }

  onMessage(listener: GossipListener): void {
    this.#listener = listener
  }

  /** Called by the bus. Each receiver gets a copy of its own, valid only during the call. */
  deliver(message: Uint8Array, from: string): void {
    if (this.#closed) return
    const copy = new Uint8Array(message)
    this.#listener?.(copy, from)
    copy.fill(0)
  }

  /** Publishes and hears nothing from now on. */
  close(): void {
    this.#closed = true
    this.#leave()
  }
}
