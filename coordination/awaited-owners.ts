/**
 * Which nodes may own sessions that the coordination store does not know: it was emptied or restored, and they have not claimed
 * in it again what they have.
 *
 * Of every node it remembers the latest epoch in which that node has said, in its member record, that everything it has is
 * claimed. Invariant: a node that has once said so is forgotten only when it is retired, which says that it holds nothing, or
 * that nobody waits for it.
 */
import type { NodeId } from '../src/core/ids.ts'
import type { OwnerClaims } from '../src/core/ports/epoch-memory.ts'
import type { MemberDescription } from '../src/core/ports/membership.ts'

type Claimant = Pick<MemberDescription, 'claimedEpoch'> & { readonly nodeId: NodeId }

export class AwaitedOwners {
  readonly #self: NodeId
  readonly #claimed = new Map<NodeId, number>()

  constructor(self: NodeId) {
    this.#self = self
  }

  /** What was known when an earlier life of this node ended. */
  restore(claims: OwnerClaims): void {
    for (const [nodeId, epoch] of claims) this.#raise(nodeId, epoch)
  }

  /** To be remembered. */
  claims(): OwnerClaims {
    return [...this.#claimed]
  }

  /** Those that have not claimed yet in the epoch `epoch`. */
  in(epoch: number): readonly NodeId[] {
    return [...this.#claimed].filter(([, claimed]) => claimed < epoch).map(([nodeId]) => nodeId)
  }

  /** True when there is something new to remember. */
  observe(members: readonly Claimant[], retired: ReadonlySet<NodeId>): boolean {
    let isNews = false
    for (const nodeId of retired) {
      const isMember = members.some(member => member.nodeId === nodeId)
      if (!isMember && this.#claimed.delete(nodeId)) isNews = true
    }
    for (const { nodeId, claimedEpoch } of members)
      if (claimedEpoch !== undefined && this.#raise(nodeId, claimedEpoch)) isNews = true
    return isNews
  }

  #raise(nodeId: NodeId, epoch: number): boolean {
    if (nodeId === this.#self || epoch <= (this.#claimed.get(nodeId) ?? -1)) return false
    this.#claimed.set(nodeId, epoch)
    return true
  }
}
