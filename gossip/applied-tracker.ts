/**
 * How far each member has applied this node's interest, and who waits for it.
 *
 * Keeps one number per member, since acknowledgements are cumulative, and the batches nobody knows to be applied
 * everywhere. Never sends anything. Invariants: a wait ends once, later than the call that began it; what is waited for is
 * judged by the members of the moment, so that one that leaves holds nobody up.
 */
import { limits } from '../src/core/limits.ts'
import type { NodeId } from '../src/core/ids.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import { countSpread } from './interest-stats.ts'
import type { InterestStats } from './interest-stats.ts'

/** Batches whose spread is being measured; the oldest of more are left out. */
const MEASURED_BATCHES_MAX = 1024

export type BarrierLevel = 'quorum' | 'all'

interface Wait {
  readonly level: BarrierLevel
  readonly done: (isApplied: boolean) => void
  /** Undefined while the changes waited for have no sequence yet. */
  sequence: number | undefined
  timer: Timer | undefined
  isOver: boolean
}

export class AppliedTracker {
  readonly #clock: Clock
  readonly #stats: InterestStats
  readonly #applied = new Map<NodeId, number>()
  /** In the order begun, so with rising sequences. */
  readonly #waits = { quorum: new Set<Wait>(), all: new Set<Wait>() }
  /** Those whose changes have no sequence yet. */
  #unnumbered: Wait[] = []
  #isAdvanceDue = false
  #unseen = 0
  #batches: { readonly sequence: number; readonly changedAtMs: number }[] = []

  constructor(clock: Clock, stats: InterestStats) {
    this.#clock = clock
    this.#stats = stats
  }

  /** A member that has applied nothing yet, or less than before: it lives anew. */
  memberJoined(nodeId: NodeId): void {
    this.#applied.set(nodeId, -1)
  }

  memberLeft(nodeId: NodeId): void {
    this.#applied.delete(nodeId)
    this.#advanceSoon()
  }

  /** How many lives apply nothing, and may act all the same. */
  setUnseen(count: number): void {
    this.#unseen = count
    this.#advanceSoon()
  }

  memberApplied(nodeId: NodeId, sequence: number): void {
    if (sequence <= (this.#applied.get(nodeId) ?? Infinity)) return
    this.#applied.set(nodeId, sequence)
    this.#advanceSoon()
  }

  /** Changes up to `sequence` are on their way; the first was made at `changedAtMs`. */
  batchSent(sequence: number, changedAtMs: number): void {
    if (this.#batches.length >= MEASURED_BATCHES_MAX) this.#batches.shift()
    this.#batches.push({ sequence, changedAtMs })
    for (const wait of this.#unnumbered) wait.sequence = sequence
    this.#unnumbered = []
    this.#advanceSoon()
  }

  /** See `RouteBarrier`. `sequence` is undefined when it is that of the next batch. */
  wait(
    level: BarrierLevel,
    sequence: number | undefined,
    timeoutMs: number,
    done: (isApplied: boolean) => void,
  ): void {
    const waits = this.#waits[level]
    const wait: Wait = { level, done, sequence, timer: undefined, isOver: false }
    if (waits.size >= limits.barrierWaitsMax) return this.#end(wait, false)
    if (sequence !== undefined && sequence <= this.#appliedBy(level)) return this.#end(wait, true)
    waits.add(wait)
    if (sequence === undefined) this.#unnumbered.push(wait)
    wait.timer = this.#clock.schedule(timeoutMs, () => this.#end(wait, false))
  }

  /** Whether all members have applied the batches whose first change was made up to then; of batches left out nothing is known. */
  isAppliedUpTo(timeMs: number): boolean {
    const byAll = this.#appliedBy('all')
    const missing = this.#batches.find(({ sequence }) => sequence > byAll)
    return missing === undefined || missing.changedAtMs > timeMs
  }

  /** Once per turn, however many acknowledgements it brings. */
  #advanceSoon(): void {
    if (this.#isAdvanceDue) return
    this.#isAdvanceDue = true
    this.#clock.defer(() => {
      this.#isAdvanceDue = false
      this.#advance()
    })
  }

  #advance(): void {
    const byAll = this.#appliedBy('all')
    const nowMs = this.#clock.now()
    let measured = 0
    for (const { sequence, changedAtMs } of this.#batches) {
      if (sequence > byAll) break
      measured++
      if (this.#applied.size > 0) countSpread(this.#stats, nowMs - changedAtMs)
    }
    if (measured > 0) this.#batches = this.#batches.slice(measured)
    this.#endReached(this.#waits.all, byAll)
    if (this.#waits.quorum.size > 0) this.#endReached(this.#waits.quorum, this.#appliedBy('quorum'))
  }

  #endReached(waits: ReadonlySet<Wait>, applied: number): void {
    for (const wait of waits) {
      if (wait.sequence === undefined || wait.sequence > applied) return
      this.#end(wait, true)
    }
  }

  #end(wait: Wait, isApplied: boolean): void {
    if (wait.isOver) return
    wait.isOver = true
    wait.timer?.cancel()
    this.#waits[wait.level].delete(wait)
    if (isApplied) this.#stats.barriersReached++
    else this.#stats.barriersTimedOut++
    this.#clock.defer(() => wait.done(isApplied))
  }

  /** The highest sequence that so many members have applied. */
  #appliedBy(level: BarrierLevel): number {
    const size = this.#applied.size + this.#unseen
    if (size === 0) return Infinity
    if (level === 'all') {
      let least = this.#unseen > 0 ? -1 : Infinity
      for (const sequence of this.#applied.values()) if (sequence < least) least = sequence
      return least
    }
    // More than half of the members and this node, which has applied everything.
    const others = (size + 1) >> 1
    return [...this.#applied.values()].sort((a, b) => b - a)[others - 1] ?? -1
  }
}
