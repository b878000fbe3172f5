import type { History, PublishRecord } from '../clients/history.ts'

/** Clocks further apart than this are outside what is promised (PROTOCOLS section 9). */
export const SKEW_MAX_MS = 500

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
  /** Clients to whose sessions some old owner did not hand over the last messages in time (counted, tailsLate): since when. */
  readonly tailsLate: ReadonlyMap<string, number>
  /** When something was wrong with the world: the faults. */
  readonly disturbed: readonly Span[]
  /** Processes that were stopped or suspended, and went on. */
  readonly pauses: readonly (Span & { readonly nodeId: string })[]
  /** Times at which the store granted or renewed a node's lease. */
  readonly renewals: readonly { readonly nodeId: string; readonly atMs: number }[]
  /** Nodes that served clients from a damaged disk. */
  readonly servedDamaged: readonly { readonly nodeId: string; readonly atMs: number }[]
  /** Per node, in the end. */
  readonly nodes: readonly NodeEnding[]
  readonly endMs: number
}

export interface Span {
  readonly fromMs: number
  readonly toMs: number
}

/** What a node has when everything has come to rest. */
export interface NodeEnding {
  readonly nodeId: string
  /** Member keys it has in the store. */
  readonly memberKeys: number
  /** Members it knows, itself included. */
  readonly members: readonly string[]
  readonly sessions: readonly string[]
  /** Publications that other members have not accepted, in memory and in outboxes. */
  readonly owed: number
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

/** Whether a message may be gone by its expiry interval; where a clock jumped far nobody can say when. */
export function mayHaveExpired(
  { expirySeconds, sends }: PublishRecord,
  { clockAheadMs, endMs }: Pick<Outcome, 'clockAheadMs' | 'endMs'>,
): boolean {
  if (expirySeconds === undefined) return false
  return clockAheadMs > SKEW_MAX_MS || (sends[0]?.atMs ?? 0) + expirySeconds * 1000 <= endMs
}

export function seconds(ms: number | undefined): string {
  return ms === undefined ? '–' : (ms / 1000).toFixed(3)
}
