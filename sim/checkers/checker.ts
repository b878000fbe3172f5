import type { History } from '../clients/history.ts'

/** A promise that was not kept. */
export interface Violation {
  /** Number of the invariant in FAULTS.md; 0: no invariant, but nothing a broker may do. */
  readonly invariant: number
  /** When it showed, virtual ms. */
  readonly atMs: number
  readonly detail: string
}

/** What the broker side showed at the end of a run. */
export interface Outcome {
  readonly history: History
  /** Faults of the process itself: exceptions, rejections. */
  readonly broken: readonly string[]
  /** What had not come to rest when the run's patience ended; empty when everything had. */
  readonly unsettled: readonly string[]
  /** Messages the nodes counted as dropped for a documented cap, by name of the counter. */
  readonly dropped: Readonly<Record<string, number>>
  /** Per node: retained topic → payload, as a fresh subscriber of `r/#` got them after the end. */
  readonly retained: readonly ReadonlyMap<string, string>[]
  /** Every owner of a session as the store saw it, in order. */
  readonly ownerships: readonly OwnershipChange[]
  /** When the content of the store was replaced by an older one, or by nothing. */
  readonly storeReplacedMs: readonly number[]
  /** Every process that began, in order. */
  readonly starts: readonly ProcessStart[]
  /** By how much a node's wall clock was ahead of the others' at most. */
  readonly clockAheadMs: number
  /** Sessions whose old owner did not hand over the last messages within the time that is waited (counted, tailsLate). */
  readonly tailsLate: number
  readonly endMs: number
}

export interface ProcessStart {
  readonly nodeId: string
  readonly atMs: number
}

export interface OwnershipChange {
  readonly clientId: string
  readonly nodeId: string
  readonly epoch: number
  readonly tokenRevision: number
  readonly modRevision: number
  readonly atMs: number
}

/** Looks at a finished run for breaches of one invariant. Pure: the same outcome, the same violations. */
export type Checker = (outcome: Outcome) => readonly Violation[]

/** `t/+` and `t/#` against `t/1`: the subset of MQTT matching that workloads use. */
export function filterMatches(filter: string, topic: string): boolean {
  const wanted = filter.split('/')
  const given = topic.split('/')
  for (const [i, level] of wanted.entries()) {
    if (level === '#') return true
    if (given[i] === undefined || (level !== '+' && level !== given[i])) return false
  }
  return wanted.length === given.length
}

export function seconds(ms: number | undefined): string {
  return ms === undefined ? '–' : (ms / 1000).toFixed(3)
}
