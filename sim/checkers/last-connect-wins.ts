import { type Checker, type Violation } from './checker.ts'

/** Invariant 7: when everything has come to rest, at most one connection per client id is open. */
export const lastConnectWins: Checker = ({ history, endMs }) => {
  const open = new Map<string, number[]>()
  for (const { clientId, number, reasonCode, closedMs } of history.connections) {
    if (reasonCode !== 0 || closedMs !== undefined) continue
    open.set(clientId, [...(open.get(clientId) ?? []), number])
  }
  return [...open]
    .filter(([, connections]) => connections.length > 1)
    .map(([clientId, connections]): Violation => ({
      invariant: 7,
      atMs: endMs,
      detail: `${clientId} has ${connections.length} connections open at the end: ${connections.join(', ')}`,
    }))
}
