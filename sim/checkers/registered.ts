import type { Checker, Violation } from './checker.ts'

/**
 * Invariant 16: whatever became of its lease, its watches and the store, in the end every node has one member key and knows all
 * members.
 */
export const isRegistered: Checker = ({ nodes, endMs }) => {
  const violations: Violation[] = []
  const all = nodes.map(({ nodeId }) => nodeId).sort()
  for (const { nodeId, memberKeys, members } of nodes) {
    const known = [...members].sort()
    if (memberKeys === 1 && known.join() === all.join()) continue
    violations.push({
      invariant: 16,
      atMs: endMs,
      detail: `${nodeId} has ${memberKeys} member keys and knows ${known.join(', ') || 'no member'}`,
    })
  }
  return violations
}
