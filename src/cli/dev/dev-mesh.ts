import type { NodeEndpoints } from '../node-line.ts'

/** All nodes of a `dev` mesh, in one process or in many. */
export interface DevMesh {
  /** Those that listen now, by id. */
  readonly nodes: ReadonlyMap<string, NodeEndpoints>
  /** Rejects when the mesh cannot go on; never resolves. */
  readonly failed: Promise<never>
  /** Stops every node, and everything else it started, within a bounded time. Idempotent. */
  stop(): Promise<void>
}
