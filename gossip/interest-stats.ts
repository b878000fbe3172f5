/** Upper bounds, ms, of the classes in which spread times are counted; one more class takes what is later. */
export const SPREAD_CLASSES_MS = [
  ...[1, 2, 5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90, 100],
  ...[120, 150, 200, 300, 500, 1000, 2000, 5000],
] as const

/** What the interest exchange did since it was made; all counts. */
export interface InterestStats {
  /** Delta messages published by gossip, and sent by stream to a peer because gossip was at its limit. */
  deltasSent: number
  deltasStreamed: number
  /** Well-formed delta messages of current members that arrived, duplicates included. */
  deltasReceived: number
  /** Single changes of other nodes applied from deltas. */
  changesApplied: number
  /** Times a delta arrived while an earlier one was missing. */
  gaps: number
  /** Repairs sent to their end, and their bytes; received and verified; first ones of a peer included. */
  repairsSent: number
  repairBytesSent: number
  repairsReceived: number
  /** Segments of bloom filters received in repairs. */
  segmentsReceived: number
  /** Times a peer's interest was pulled because changes were lost or checksums differed; first pulls are none. */
  repairs: number
  /** Digests of peers, by what came of comparing them: see the metric `gossip_digests_total`. */
  digestsAgreed: number
  digestsBehind: number
  digestsDiffered: number
  digestsUnknown: number
  /** Messages and frames that were malformed or lied. */
  rejected: number
  /** Messages and frames dropped because a member sent more than its share; its link is closed. */
  flooded: number
  /** Messages and frames of nodes or incarnations that are not members, and of this node itself. */
  ignored: number
  /** Barriers reached, and given up after their time. */
  barriersReached: number
  barriersTimedOut: number
  /**
   * Batches of this node's changes by the time from the first of them to the last member's word that it is applied: counts
   * by `SPREAD_CLASSES_MS`, not cumulative. Their sum and the longest, ms.
   */
  readonly spreadCounts: number[]
  spreadSumMs: number
  spreadMaxMs: number
}

export function createInterestStats(): InterestStats {
  return {
    deltasSent: 0,
    deltasStreamed: 0,
    deltasReceived: 0,
    changesApplied: 0,
    gaps: 0,
    repairsSent: 0,
    repairBytesSent: 0,
    repairsReceived: 0,
    segmentsReceived: 0,
    repairs: 0,
    digestsAgreed: 0,
    digestsBehind: 0,
    digestsDiffered: 0,
    digestsUnknown: 0,
    rejected: 0,
    flooded: 0,
    ignored: 0,
    barriersReached: 0,
    barriersTimedOut: 0,
    spreadCounts: new Array<number>(SPREAD_CLASSES_MS.length + 1).fill(0),
    spreadSumMs: 0,
    spreadMaxMs: 0,
  }
}

/** Counts the time one batch took to be applied everywhere. */
export function countSpread(stats: InterestStats, ms: number): void {
  const found = SPREAD_CLASSES_MS.findIndex(bound => ms <= bound)
  const index = found === -1 ? SPREAD_CLASSES_MS.length : found
  stats.spreadCounts[index] = (stats.spreadCounts[index] ?? 0) + 1
  stats.spreadSumMs += ms
  stats.spreadMaxMs = Math.max(stats.spreadMaxMs, ms)
}
