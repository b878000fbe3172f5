/**
 * Which nodes keep the payloads of a topic's large retained messages: by rendezvous hashing (Thaler and Ravishankar, 1996), so that
 * every node can tell, and a member that comes or goes moves only what it keeps itself.
 *
 * It goes by node ids: a node that restarts is the holder it was. Invariant: nodes that know the same members agree.
 */
import type { NodeId } from '../src/core/ids.ts'
import { mix32, TopicHasher } from '../src/core/interest-hash.ts'

const HOLDERS = 2

interface Candidate {
  readonly nodeId: NodeId
  readonly seed: number
}

export class RetainedHolders {
  readonly #self: NodeId
  readonly #hasher: TopicHasher
  #candidates: readonly Candidate[] = []

  constructor(self: NodeId, cluster: string) {
    this.#self = self
    this.#hasher = new TopicHasher(cluster)
  }

  /** Replaces the nodes to choose from. False: they are the same as before. */
  setNodes(nodeIds: readonly NodeId[]): boolean {
    const sorted = nodeIds.toSorted()
    if (sorted.join('\n') === this.#candidates.map(({ nodeId }) => nodeId).join('\n')) return false
    this.#candidates = sorted.map(nodeId => {
      this.#hasher.hash(nodeId)
      return { nodeId, seed: this.#hasher.low }
    })
    return true
  }

  /** Whether this node is one of the topic's holders; while no nodes are known it is one of all. */
  isHolder(topic: string): boolean {
    if (this.#candidates.length === 0) return true
    const self = this.#candidates.find(({ nodeId }) => nodeId === this.#self)
    if (self === undefined) return false
    this.#hasher.hash(topic)
    const own = this.#scoreOf(self)
    let before = 0
    for (const candidate of this.#candidates) {
      const score = this.#scoreOf(candidate)
      if (score > own || (score === own && candidate.nodeId < self.nodeId)) before++
    }
    return before < HOLDERS
  }

  of(topic: string): readonly NodeId[] {
    return this.ranked(topic).slice(0, HOLDERS)
  }

  /** All nodes, the holders first, then who would be one without those before it. */
  ranked(topic: string): readonly NodeId[] {
    this.#hasher.hash(topic)
    return this.#candidates
      .map(candidate => ({ nodeId: candidate.nodeId, score: this.#scoreOf(candidate) }))
      .sort((a, b) => b.score - a.score || (a.nodeId < b.nodeId ? -1 : 1))
      .map(({ nodeId }) => nodeId)
  }

  /** For the topic hashed last. */
  #scoreOf({ seed }: Candidate): number {
    return mix32(mix32(this.#hasher.low ^ seed) ^ this.#hasher.high) >>> 0
  }
}
