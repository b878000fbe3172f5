import type { FencingToken } from '../src/core/ids.ts'

/** What this node knows of the record of a session it owns. */
export interface OwnedRecord {
  readonly token: FencingToken
  /** That of the token until the record was rewritten; behind the truth after a rewrite of unknown outcome. */
  modRevision: number
  /** As the record has it. */
  expirySeconds: number
  /** There may be a will under this incarnation. */
  hasWill: boolean
  /** What the will kept, or on its way there, counts in the budget. */
  willBytes: number
}
