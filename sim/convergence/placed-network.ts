import type { NodeId } from '../../src/core/ids.ts'
import type { Random } from '../../src/core/ports/random.ts'
import { NetworkConditions, type Site } from '../world/network-conditions.ts'

/** How far nodes are from each other, one way. Figures of well-built networks, assumed, not measured. */
export interface Placement {
  /** The nodes go to them in turn. */
  readonly zones: number
  readonly within: Distance
  /** By the two zones' numbers, the lower first: 0-1, 0-2, 1-2. */
  readonly between: readonly Distance[]
  readonly bytesPerMs: number
  /** In words, for a report. */
  readonly text: string
}

interface Distance {
  /** The least, ms, and the mean of what comes on top, exponentially distributed. */
  readonly baseMs: number
  readonly jitterMs: number
}

export const placements = {
  'this-machine': {
    zones: 1,
    within: { baseMs: 0.02, jitterMs: 0.02 },
    between: [],
    bytesPerMs: 1_000_000,
    text: 'loopback, 0.04 ms one way',
  },
  'one-rack': {
    zones: 1,
    within: { baseMs: 0.08, jitterMs: 0.05 },
    between: [],
    bytesPerMs: 1_000_000,
    text: 'one switch, 0.13 ms one way',
  },
  'three-zones': {
    zones: 3,
    within: { baseMs: 0.12, jitterMs: 0.08 },
    between: [
      { baseMs: 0.5, jitterMs: 0.2 },
      { baseMs: 0.7, jitterMs: 0.2 },
      { baseMs: 0.9, jitterMs: 0.3 },
    ],
    bytesPerMs: 500_000,
    text: 'three zones of one region, 0.7 to 1.2 ms one way between them',
  },
  'three-regions': {
    zones: 3,
    within: { baseMs: 0.3, jitterMs: 0.2 },
    between: [
      { baseMs: 40, jitterMs: 1.5 },
      { baseMs: 75, jitterMs: 2 },
      { baseMs: 110, jitterMs: 3 },
    ],
    bytesPerMs: 100_000,
    text: 'three regions, 42, 77 and 113 ms one way between them',
  },
} as const satisfies Record<string, Placement>

export type PlacementName = keyof typeof placements

/** A lost packet of a stream is sent again after so long, or two round trips if that is longer. */
const RETRANSMIT_MS_MIN = 200

/**
 * Conditions by place, for nodes whose core may be behind: a message leaves when the work under way at its sender is done.
 * At most one cut at a time; streams wait it out, or for a lost packet.
 */
export class PlacedNetwork extends NetworkConditions {
  readonly #placement: Placement
  readonly #random: Random
  readonly #lossShare: number
  readonly #zones: ReadonlyMap<Site, number>
  readonly #aheadMs: (nodeId: NodeId) => number
  readonly #cutListeners = new Set<() => void>()
  #isApart: ((nodeId: Site) => boolean) | undefined

  constructor(
    nodeIds: readonly NodeId[],
    placement: Placement,
    lossShare: number,
    random: Random,
    aheadMs: (nodeId: NodeId) => number,
  ) {
    super({ baseMs: 0, jitterMs: 0, tailShare: 0, tailMs: 0, bytesPerMs: 1 }, random, () => 0)
    this.#placement = placement
    this.#random = random
    this.#lossShare = lossShare
    this.#aheadMs = aheadMs
    this.#zones = new Map(nodeIds.map((nodeId, index) => [nodeId, index % placement.zones]))
  }

  /** Nothing passes between these nodes and the others until `heal`. */
  cut(isApart: (nodeId: Site) => boolean): void {
    this.#isApart = isApart
  }

  heal(): void {
    this.#isApart = undefined
    for (const listener of [...this.#cutListeners]) listener()
  }

  zoneOf(nodeId: Site): number {
    return this.#zones.get(nodeId) ?? 0
  }

  override isBlocked(from: Site, to: Site): boolean {
    return this.#isApart !== undefined && this.#isApart(from) !== this.#isApart(to)
  }

  /** On a stream, where what is lost is sent again: from now until what the work under way sends has arrived, ms. */
  override delayMs(from: Site, to: Site, bytes: number): number {
    let delayMs = this.unrepeatedDelayMs(from, to, bytes)
    while (this.#lossShare > 0 && this.#random.fraction() < this.#lossShare)
      delayMs += Math.max(RETRANSMIT_MS_MIN, 4 * this.travelMs(from, to))
    return delayMs
  }

  /** As `delayMs`, for a message that meets no loss. */
  unrepeatedDelayMs(from: Site, to: Site, bytes: number): number {
    return this.#aheadMs(from) + this.travelMs(from, to) + bytes / this.#placement.bytesPerMs
  }

  /** One way, drawn anew each time. */
  travelMs(from: Site, to: Site): number {
    const [low, high] = [this.zoneOf(from), this.zoneOf(to)].sort((a, b) => a - b) as [number, number]
    const { within, between } = this.#placement
    const distance = low === high ? within : (between[low + high - 1] ?? within)
    return distance.baseMs - Math.log(1 - this.#random.fraction()) * distance.jitterMs
  }

  override onChanged(listener: () => void): () => void {
    this.#cutListeners.add(listener)
    return () => this.#cutListeners.delete(listener)
  }
}
