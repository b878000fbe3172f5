import type { NodeId } from '../ids.ts'

/** Of other nodes, the latest epoch in which each has said that everything it has is claimed. */
export type OwnerClaims = readonly (readonly [nodeId: NodeId, epoch: number])[]

/** What a node knows of the coordination store it belongs to; see `ClusterEpoch`. */
export interface EpochMark {
  readonly epoch: number
  /** The highest revision the store was seen at in that epoch; may be some seconds old. */
  readonly revision: number
  /** In which everything on this node's disk was last claimed, or found to be there still. Absent: in this one. */
  readonly claimedEpoch?: number
  /** Absent: nothing is known of others. */
  readonly owners?: OwnerClaims
}

/** Where a node keeps its mark over restarts. */
export interface EpochMemory {
  /** Undefined when nothing was ever saved. */
  load(): Promise<EpochMark | undefined>
  /** Kept in the background; on a crash an earlier one may be found. */
  save(mark: EpochMark): void
}
