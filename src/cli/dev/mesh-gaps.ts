import type { NodeStatusView } from '../../admin/status-schemas.ts'

/** What keeps a mesh from being whole: nodes that are not ready, and pairs not connected in one direction. Empty: whole. */
export function meshGaps(answers: ReadonlyMap<string, NodeStatusView | undefined>): readonly string[] {
  const gaps: string[] = []
  for (const [nodeId, status] of answers) {
    if (status === undefined) {
      gaps.push(`${nodeId} to answer`)
      continue
    }
    if (!status.ready) {
      const missing = status.checks.filter(check => !check.ok).map(check => `${check.name}: ${check.detail}`)
      gaps.push(`${nodeId} (${missing.join('; ')})`)
      continue
    }
    for (const other of answers.keys()) {
      if (other === nodeId) continue
      const member = status.cluster.members.find(candidate => candidate.nodeId === other)
      if (member === undefined || !member.linkUp) gaps.push(`the link from ${nodeId} to ${other}`)
    }
  }
  return gaps
}
