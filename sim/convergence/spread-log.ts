import type { NodeId } from '../../src/core/ids.ts'
import type { Misses, Percentiles } from './point.ts'

interface Change {
  readonly atMs: number
  /** Of the origin; undefined until it is announced. */
  sequence: number | undefined
  /** Receivers that have not applied it. */
  missing: number
  lastMs: number
}

/**
 * When each change was applied where. An origin's changes are applied in order, so that one mark per pair of nodes says how far
 * the receiver is.
 */
export class SpreadLog {
  readonly #origins: Map<
    NodeId,
    { readonly changes: Change[]; readonly marks: Map<NodeId, number>; announced: number }
  >
  readonly #perNodeMs: number[] = []
  readonly #everywhereMs: number[] = []
  #changes = 0
  #missing = 0

  constructor(nodeIds: readonly NodeId[]) {
    this.#origins = new Map(
      nodeIds.map(nodeId => [
        nodeId,
        {
          changes: [],
          marks: new Map(nodeIds.filter(other => other !== nodeId).map(other => [other, 0])),
          announced: 0,
        },
      ]),
    )
  }

  get changes(): number {
    return this.#changes
  }

  /** Pairs of a change and a node that has not applied it. */
  get missing(): number {
    return this.#missing
  }

  changed(origin: NodeId, atMs: number): void {
    const { changes, marks } = this.#of(origin)
    changes.push({ atMs, sequence: undefined, missing: marks.size, lastMs: atMs })
    this.#changes++
    this.#missing += marks.size
  }

  /** All changes so far have a sequence up to this one. */
  announced(origin: NodeId, sequence: number): void {
    const of = this.#of(origin)
    for (; of.announced < of.changes.length; of.announced++) {
      const change = of.changes[of.announced]
      if (change !== undefined) change.sequence = sequence
    }
  }

  applied(origin: NodeId, receiver: NodeId, sequence: number, atMs: number): void {
    const { changes, marks } = this.#of(origin)
    let mark = marks.get(receiver) ?? 0
    for (; mark < changes.length; mark++) {
      const change = changes[mark]
      if (change?.sequence === undefined || change.sequence > sequence) break
      this.#perNodeMs.push(atMs - change.atMs)
      this.#missing--
      change.lastMs = Math.max(change.lastMs, atMs)
      if (--change.missing === 0) this.#everywhereMs.push(change.lastMs - change.atMs)
    }
    marks.set(receiver, mark)
  }

  perNode(): Percentiles {
    return percentilesOf(this.#perNodeMs)
  }

  everywhere(): Percentiles {
    return percentilesOf(this.#everywhereMs)
  }

  /** The first to the hundredth percentile of the times until applied everywhere. */
  curve(): number[] {
    const sorted = this.#everywhereMs.toSorted((a, b) => a - b)
    if (sorted.length === 0) return []
    return Array.from({ length: 100 }, (_, index) => round(atPercentile(sorted, index + 1)))
  }

  #of(origin: NodeId) {
    const found = this.#origins.get(origin)
    if (found === undefined) throw new Error(`${origin} is no node of this run`)
    return found
  }
}

/** Counts of one kind of probe. */
export class MissCount implements Misses {
  sent = 0
  missed = 0

  count(isMissed: boolean): void {
    this.sent++
    if (isMissed) this.missed++
  }
}

/** By nearest rank, to the microsecond; all 0 when there is no value. */
export function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (percentile: number): number => round(atPercentile(sorted, percentile))
  return { count: sorted.length, p50: at(50), p90: at(90), p95: at(95), p99: at(99), max: at(100) }
}

function atPercentile(sorted: readonly number[], percentile: number): number {
  return sorted[Math.max(0, Math.ceil((sorted.length * percentile) / 100) - 1)] ?? 0
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
