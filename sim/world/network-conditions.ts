import type { Random } from '../../src/core/ports/random.ts'

/** A place on the network: a node id, `store`, or `clients`. */
export type Site = string

export const STORE: Site = 'store'
export const CLIENTS: Site = 'clients'

/** How long things take on a network that is well. */
export interface LatencyProfile {
  /** One way, the least, ms. */
  readonly baseMs: number
  /** Mean of what comes on top, exponentially distributed, ms. */
  readonly jitterMs: number
  /** Share of messages that meet a retransmission, and what that costs, ms. */
  readonly tailShare: number
  readonly tailMs: number
  readonly bytesPerMs: number
}

/**
 * Who reaches whom at the moment, and how fast, each direction by itself. Blocks add up: two partitions that overlap end
 * when both have ended. It moves nothing itself; whoever holds what could not move listens for changes.
 */
export class NetworkConditions {
  readonly #profile: LatencyProfile
  readonly #random: Random
  readonly #blocks = new Map<string, number>()
  readonly #extraMs = new Map<string, number>()
  readonly #listeners = new Set<() => void>()

  constructor(profile: LatencyProfile, random: Random) {
    this.#profile = profile
    this.#random = random
  }

  isBlocked(from: Site, to: Site): boolean {
    return (this.#blocks.get(directionOf(from, to)) ?? 0) > 0
  }

  /** Nothing moves from one to the other until `unblock`; what is under way is held, as by retransmissions. */
  block(from: Site, to: Site): void {
    const direction = directionOf(from, to)
    this.#blocks.set(direction, (this.#blocks.get(direction) ?? 0) + 1)
  }

  unblock(from: Site, to: Site): void {
    const direction = directionOf(from, to)
    this.#blocks.set(direction, Math.max(0, (this.#blocks.get(direction) ?? 0) - 1))
    for (const listener of [...this.#listeners]) listener()
  }

  /** Makes a direction slower by so much; 0 ends it. */
  slow(from: Site, to: Site, extraMs: number): void {
    this.#extraMs.set(directionOf(from, to), extraMs)
  }

  /** One way, for a message of so many bytes; drawn anew for each. */
  delayMs(from: Site, to: Site, bytes: number): number {
    const { baseMs, jitterMs, tailShare, tailMs, bytesPerMs } = this.#profile
    const jitter = -Math.log(1 - this.#random.fraction()) * jitterMs
    const tail = this.#random.fraction() < tailShare ? tailMs : 0
    return baseMs + jitter + tail + bytes / bytesPerMs + (this.#extraMs.get(directionOf(from, to)) ?? 0)
  }

  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

function directionOf(from: Site, to: Site): string {
  return `${from}>${to}`
}
