import type { Checker } from './checker.ts'

/** Invariant 20: no node serves clients from a disk on which a record is not as it was written. */
export const damageIsDetected: Checker = ({ servedDamaged }) =>
  servedDamaged.map(({ nodeId, atMs }) => ({
    invariant: 20,
    atMs,
    detail: `${nodeId} began to serve clients, though a bit on its disk had flipped`,
  }))
