/** What the interest exchange did since it was made; all counts. */
export interface InterestStats {
  /** Delta messages published. */
  deltasSent: number
  /** Well-formed delta messages of current members that arrived, duplicates included. */
  deltasReceived: number
  /** Single changes of other nodes applied from deltas. */
  changesApplied: number
  /** Times a delta arrived while an earlier one was missing. */
  gaps: number
  /** Snapshots sent in full, and received and verified. */
  snapshotsSent: number
  snapshotsReceived: number
  /** Snapshots pulled because changes were lost or the checksums differed; first snapshots are none. */
  repairs: number
  /** Messages and frames that were malformed or lied. */
  rejected: number
  /** Messages and frames of nodes or incarnations that are not members, and of this node itself. */
  ignored: number
}

export function createInterestStats(): InterestStats {
  return {
    deltasSent: 0,
    deltasReceived: 0,
    changesApplied: 0,
    gaps: 0,
    snapshotsSent: 0,
    snapshotsReceived: 0,
    repairs: 0,
    rejected: 0,
    ignored: 0,
  }
}
