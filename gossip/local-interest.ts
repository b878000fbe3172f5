import type { Incarnation, NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import { encodeDeltas } from './delta-codec.ts'
import { filterHash } from './filter-hash.ts'
import type { InterestSummary } from './interest-frame-codec.ts'
import type { InterestStats } from './interest-stats.ts'

/** This node's interest as of one sequence. */
export interface InterestSnapshot {
  readonly summary: InterestSummary
  readonly filters: readonly string[]
}

export interface LocalInterestComponents {
  readonly local: { filters(): Iterable<string> }
  readonly publish: (message: Uint8Array) => void
  readonly clock: Clock
  readonly stats: InterestStats
}

const encoder = new TextEncoder()

/**
 * This node's side of the interest protocol: numbers the changes, batches them into deltas, keeps the checksum.
 *
 * A change gets its sequence when its batch is published, so the announced state always lies between two batches, and a
 * filter that came and went within one batch is never mentioned. The first change after a pause goes out at the end of
 * the turn, later ones at most once per batch interval.
 */
export class LocalInterest {
  readonly #components: LocalInterestComponents
  readonly #batchIntervalMs: number
  #self: { readonly nodeId: NodeId; readonly incarnation: Incarnation } | undefined
  /** Filter → whether it was added; what was announced is not among them. */
  readonly #pending = new Map<string, boolean>()
  #flushAwaited = false
  #stopped = false
  #sequence = 0
  #count = 0
  #checksum = 0
  #lastSnapshot: InterestSnapshot | undefined

  constructor(components: LocalInterestComponents, options: { readonly batchIntervalMs: number }) {
    this.#components = components
    this.#batchIntervalMs = options.batchIntervalMs
  }

  /** Begins an incarnation at sequence 0 with the filters there are; changes before it need not be reported. */
  start(nodeId: NodeId, incarnation: Incarnation): void {
    this.#self = { nodeId, incarnation }
    for (const filter of this.#components.local.filters()) this.#account(filter, true)
  }

  /** To be called at exactly the 0 → 1 (`isAdd`) and 1 → 0 transitions of a filter. */
  change(filter: string, isAdd: boolean): void {
    if (this.#self === undefined || this.#stopped) return
    this.#lastSnapshot = undefined
    if (!this.#pending.delete(filter)) this.#pending.set(filter, isAdd)
    if (this.#flushAwaited) return
    this.#flushAwaited = true
    this.#components.clock.defer(() => this.#flushAndRest())
  }

  /** The announced state in four numbers. Only after `start`. */
  summary(): InterestSummary {
    if (this.#self === undefined) throw new Error('the interest exchange was not started')
    const { incarnation } = this.#self
    return { incarnation, sequence: this.#sequence, count: this.#count, checksum: this.#checksum }
  }

  /** Announces what is pending and returns the whole state; the same object until the next change. */
  snapshot(): InterestSnapshot {
    this.#flush()
    this.#lastSnapshot ??= { summary: this.summary(), filters: [...this.#components.local.filters()] }
    const { summary, filters } = this.#lastSnapshot
    if (summary.count !== filters.length) {
      throw new Error(
        `${summary.count} filters were reported to the interest exchange, ${filters.length} exist`,
      )
    }
    return this.#lastSnapshot
  }

  stop(): void {
    this.#stopped = true
    this.#pending.clear()
  }

  #flushAndRest(): void {
    this.#flush()
    this.#components.clock.schedule(this.#batchIntervalMs, () => {
      if (this.#pending.size > 0) this.#flushAndRest()
      else this.#flushAwaited = false
    })
  }

  #flush(): void {
    if (this.#pending.size === 0 || this.#self === undefined) return
    const changes: { isAdd: boolean; filter: string }[] = []
    for (const [filter, isAdd] of this.#pending) {
      changes.push({ isAdd, filter })
      this.#account(filter, isAdd)
    }
    this.#pending.clear()
    const firstSequence = this.#sequence + 1
    this.#sequence += changes.length
    for (const message of encodeDeltas({ ...this.#self, firstSequence, changes })) {
      this.#components.stats.deltasSent++
      this.#components.publish(message)
    }
  }

  #account(filter: string, isAdd: boolean): void {
    const bytes = encoder.encode(filter)
    const hash = filterHash(bytes, 0, bytes.length)
    this.#count += isAdd ? 1 : -1
    this.#checksum = (this.#checksum + (isAdd ? hash : -hash)) >>> 0
  }
}
