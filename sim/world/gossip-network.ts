import { limits } from '../../src/core/limits.ts'
import type { Gossip, GossipListener } from '../../src/core/ports/gossip.ts'
import type { Random } from '../../src/core/ports/random.ts'
import type { VirtualClock } from '../ports/virtual-clock.ts'
import type { NetworkConditions, Site } from './network-conditions.ts'
import type { ProcessClock } from './process-clock.ts'

/** How unreliable gossip is: shares of messages per receiver. */
export interface GossipWeakness {
  readonly lost: number
  readonly doubled: number
  /** Mean of the delay on top of the network's, exponentially distributed: what reorders. */
  readonly delayMs: number
}

/**
 * Broadcast weaker than gossipsub: no message is relayed, so a partition loses it for good, and each receiver by itself may
 * miss it, get it twice, late, or before an earlier one.
 */
export class GossipNetwork {
  readonly #clock: VirtualClock
  readonly #conditions: NetworkConditions
  readonly #random: Random
  weakness: GossipWeakness
  readonly #members = new Set<GossipMember>()

  constructor(clock: VirtualClock, conditions: NetworkConditions, random: Random, weakness: GossipWeakness) {
    this.#clock = clock
    this.#conditions = conditions
    this.#random = random
    this.weakness = weakness
  }

  /** `peerId` is that of its transport. */
  member(site: Site, peerId: string, clock: ProcessClock): GossipMember {
    const member = new GossipMember(site, peerId, clock, message => this.#spread(member, message))
    this.#members.add(member)
    return member
  }

  leave(member: GossipMember): void {
    member.isClosed = true
    this.#members.delete(member)
  }

  #spread(from: GossipMember, message: Uint8Array): void {
    for (const member of this.#members) {
      if (member === from) continue
      this.#send(from, member, message)
      if (this.#random.fraction() < this.weakness.doubled) this.#send(from, member, message)
    }
  }

  #send(from: GossipMember, to: GossipMember, message: Uint8Array): void {
    const { lost, delayMs } = this.weakness
    if (this.#random.fraction() < lost || this.#conditions.isBlocked(from.site, to.site)) return
    const late = -Math.log(1 - this.#random.fraction()) * delayMs
    this.#clock.schedule(this.#conditions.delayMs(from.site, to.site, message.length) + late, () => {
      if (this.#members.has(to)) to.deliver(message, from.peerId)
    })
  }
}

export class GossipMember implements Gossip {
  readonly site: Site
  readonly peerId: string
  /** Publishes and hears nothing any more. */
  isClosed = false
  readonly #clock: ProcessClock
  readonly #spread: (message: Uint8Array) => void
  #listener: GossipListener | undefined

  constructor(site: Site, peerId: string, clock: ProcessClock, spread: (message: Uint8Array) => void) {
    this.site = site
    this.peerId = peerId
    this.#clock = clock
    this.#spread = spread
  }

  publish(message: Uint8Array): boolean {
    if (this.isClosed || message.length > limits.gossipMessageBytesMax) return false
    this.#spread(new Uint8Array(message))
    return true
  }

  onMessage(listener: GossipListener): void {
    this.#listener = listener
  }

  deliver(message: Uint8Array, from: string): void {
    this.#clock.deliver(() => {
      const copy = new Uint8Array(message)
      this.#listener?.(copy, from)
      copy.fill(0) // valid only during the call
    })
  }
}
