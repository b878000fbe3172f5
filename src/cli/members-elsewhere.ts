import type { ExplanationView } from '../admin/routing-schemas.ts'
import type { AdminClient } from './admin-client.ts'
import { clientOf, fetchExplanation } from './admin-requests.ts'

type Question = Parameters<typeof fetchExplanation>[1]

/**
 * The explanation with the members that other nodes would pick for shared subscriptions, which each of them is asked for. A node
 * that does not answer leaves its members unnamed.
 */
export async function withMembersElsewhere(
  client: AdminClient,
  question: Question,
  explanation: ExplanationView,
): Promise<ExplanationView> {
  const { nodeId, groups } = explanation
  const chosen = new Set(groups.list.flatMap(({ chosenNode }) => chosenNode ?? []))
  chosen.delete(nodeId)
  const answers = await Promise.all(
    [...chosen].map(async name => {
      try {
        return await fetchExplanation(await clientOf(client, name), question)
      } catch {
        return undefined // it is gone, or does not know this operator
      }
    }),
  )
  const list = groups.list.map(group => {
    if (group.chosenClient !== null) return group
    const there = answers.find(answer => answer?.nodeId === group.chosenNode)
    const same = there?.groups.list.find(
      other => other.group === group.group && other.filter === group.filter,
    )
    return { ...group, chosenClient: same?.clientHere ?? null }
  })
  return { ...explanation, groups: { ...groups, list } }
}
