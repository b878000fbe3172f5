import type { ClaimRefusal } from '../src/core/ports/session-ownership.ts'
import { LatencyHistogram } from './latency-histogram.ts'

/** What claims have come to since the process started; for metrics. */
export interface ClaimStats {
  /** From the first question to another owner until the session was claimed. */
  readonly takeovers: LatencyHistogram
  /** Claims that had to ask the store. */
  claims: number
  claimed: number
  readonly refused: Record<ClaimRefusal, number>
  /** Attempts that failed because another node had written the record meanwhile. */
  racesLost: number
  /** Sessions taken from a dead owner though their client wanted the state (`sessions.onOwnerLost: fresh`). */
  sessionsLost: number
  /** Batches sent, operations in them, and batches that had no room for more. */
  batches: number
  batchedOperations: number
  fullBatches: number
  /** Batches whose outcome was not learnt. */
  unknownBatches: number
  /** Keys put or deleted by batches that succeeded, and bytes of keys and values. */
  writes: number
  bytesWritten: number
  /** Rewrites of an expiry interval, or deletions of a will, given up because too many waited. */
  rewritesDropped: number
  /** Bytes of the wills of this node's clients that are kept in the store now. */
  keptWillBytes: number
  /** Wills that were not kept there whole: too large, or over the node's budget. They stay with this node alone. */
  willsLeftOut: number
}

export function newClaimStats(): ClaimStats {
  return {
    takeovers: new LatencyHistogram(),
    claims: 0,
    claimed: 0,
    refused: {
      unavailable: 0,
      'owner-unreachable': 0,
      'owner-lost': 0,
      contended: 0,
      suspended: 0,
      quota: 0,
    },
    racesLost: 0,
    sessionsLost: 0,
    batches: 0,
    batchedOperations: 0,
    fullBatches: 0,
    unknownBatches: 0,
    writes: 0,
    bytesWritten: 0,
    rewritesDropped: 0,
    keptWillBytes: 0,
    willsLeftOut: 0,
  }
}
