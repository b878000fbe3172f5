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

/** A direction of little bandwidth: what is sent waits for what was sent before. */
interface Clog {
  readonly bytesPerMs: number
  readonly sinceMs: number
  readonly freeAtMs: number
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
  readonly #clogs = new Map<string, Clog>()
  readonly #listeners = new Set<() => void>()
  /** When directions had a queue that is over: until what was sent while they had little bandwidth had come. */
  readonly queues: { readonly fromMs: number; readonly toMs: number }[] = []

  readonly #now: () => number

  constructor(profile: LatencyProfile, random: Random, now: () => number) {
    this.#profile = profile
    this.#random = random
    this.#now = now
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

  /** So few bytes get through a direction that they queue up. */
  clog(from: Site, to: Site, bytesPerMs: number): void {
    const nowMs = this.#now()
    this.#clogs.set(directionOf(from, to), { bytesPerMs, sinceMs: nowMs, freeAtMs: nowMs })
  }

  /** What is queued keeps its place; what is sent from now on comes after it. */
  unclog(from: Site, to: Site): void {
    const direction = directionOf(from, to)
    const clog = this.#clogs.get(direction)
    if (clog !== undefined) this.queues.push({ fromMs: clog.sinceMs, toMs: clog.freeAtMs })
    this.#clogs.delete(direction)
  }

  /** One way, for a message of so many bytes; drawn anew for each. */
  delayMs(from: Site, to: Site, bytes: number): number {
    const { baseMs, jitterMs, tailShare, tailMs, bytesPerMs } = this.#profile
    const jitter = -Math.log(1 - this.#random.fraction()) * jitterMs
    const tail = this.#random.fraction() < tailShare ? tailMs : 0
    const direction = directionOf(from, to)
    const onTheWayMs = baseMs + jitter + tail + (this.#extraMs.get(direction) ?? 0)
    const clog = this.#clogs.get(direction)
    if (clog === undefined) return onTheWayMs + bytes / bytesPerMs
    const freeAtMs = Math.max(this.#now(), clog.freeAtMs) + bytes / clog.bytesPerMs
    this.#clogs.set(direction, { ...clog, freeAtMs })
    return onTheWayMs + freeAtMs - this.#now()
  }

  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

function directionOf(from: Site, to: Site): string {
  return `${from}>${to}`
}
