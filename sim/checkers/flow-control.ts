import type { Checker } from './checker.ts'

/** Invariant 17: packet ids in flight are not reused, Receive Maximum is not exceeded; and every packet is well formed. */
export const flowControlHolds: Checker = ({ history }) =>
  history.breaches.map(({ connection, atMs, rule, detail }) => ({
    invariant: 17,
    atMs,
    detail: `${connection.clientId} on connection ${connection.number} to ${connection.nodeId}: ${rule}: ${detail}`,
  }))
