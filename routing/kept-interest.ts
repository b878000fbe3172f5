/**
 * The remote index as the interest exchange writes it, except that the interest of nodes that are gone, and for which
 * messages are kept, stays in it as last known (PROTOCOLS section 6).
 *
 * What is not known stays unknown: such a node matches everything, as a live one does, since its sessions may want anything.
 * Invariants: every node that is kept is in the index; a node that returns is written anew.
 */
import type { NodeId } from '../src/core/ids.ts'
import type { RemoteGroup, RemoteIndex, RemoteNodeInterest } from '../src/core/ports/routing.ts'

export class KeptInterest implements RemoteIndex {
  readonly #index: RemoteIndex
  #kept: ReadonlySet<NodeId> = new Set()

  constructor(index: RemoteIndex) {
    this.#index = index
  }

  /**
   * Says, before the exchange is told of a change in membership, which nodes are gone and kept. What was kept and is neither
   * that nor a member is cleared.
   */
  keep(away: readonly NodeId[], isMember: (nodeId: NodeId) => boolean): void {
    const before = this.#kept
    this.#kept = new Set(away)
    for (const nodeId of away) this.#index.node(nodeId)
    for (const nodeId of before) {
      if (!this.#kept.has(nodeId) && !isMember(nodeId)) this.#index.clear(nodeId)
    }
  }

  node(nodeId: NodeId): RemoteNodeInterest {
    return this.#index.node(nodeId)
  }

  clear(nodeId: NodeId): void {
    if (!this.#kept.has(nodeId)) this.#index.clear(nodeId)
  }

  match(topic: string): readonly NodeId[] {
    return this.#index.match(topic)
  }

  get unknownNodes(): readonly string[] {
    return this.#index.unknownNodes
  }

  matchShared(topic: string): readonly RemoteGroup[] | undefined {
    return this.#index.matchShared(topic)
  }
}
