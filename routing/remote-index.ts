/**
 * What the clients of other nodes are interested in, filter by filter, and which nodes a topic must go to.
 *
 * Fed by the interest exchange; it does not know how the filters got here. Invariants: a node whose interest is not known
 * matches every topic (DESIGN section 4.3); a remembered answer is never older than the last change that could concern
 * its topic.
 */
import type { NodeId } from '../src/core/ids.ts'
import type { RemoteIndex } from '../src/core/ports/routing.ts'
import { hasWildcard } from '../src/core/topic.ts'
import { FilterTable } from './filter-table.ts'
import { MatchCache } from './match-cache.ts'

const NOWHERE: readonly NodeId[] = []

export class TrieRemoteIndex implements RemoteIndex {
  readonly #filters = new FilterTable<Set<NodeId>>()
  /** Every node heard of, with its filters. */
  readonly #nodes = new Map<NodeId, Set<string>>()
  readonly #unknown = new Set<NodeId>()
  readonly #cache = new MatchCache<NodeId>()
  readonly #matched: Set<NodeId>[] = []

  /** Filters of all nodes together; one that two nodes have counts twice. */
  get filterCount(): number {
    let count = 0
    for (const filters of this.#nodes.values()) count += filters.size
    return count
  }

  add(nodeId: NodeId, filter: string): void {
    const filters = this.#filtersOf(nodeId)
    if (filters.has(filter)) return
    filters.add(filter)
    let nodes = this.#filters.get(filter)
    if (nodes === undefined) {
      nodes = new Set()
      this.#filters.set(filter, nodes)
    }
    nodes.add(nodeId)
    this.#invalidate(filter)
  }

  remove(nodeId: NodeId, filter: string): void {
    if (this.#nodes.get(nodeId)?.delete(filter) === true) this.#drop(nodeId, filter)
  }

  clear(nodeId: NodeId): void {
    for (const filter of this.#nodes.get(nodeId) ?? []) this.#drop(nodeId, filter)
    this.#nodes.delete(nodeId)
    this.#unknown.delete(nodeId)
    this.#cache.clear()
  }

  setKnown(nodeId: NodeId, known: boolean): void {
    this.#filtersOf(nodeId)
    if (known) this.#unknown.delete(nodeId)
    else this.#unknown.add(nodeId)
    this.#cache.clear()
  }

  match(topic: string): readonly NodeId[] {
    const cached = this.#cache.get(topic)
    if (cached !== undefined) return cached
    const result = this.#find(topic)
    this.#cache.set(topic, result)
    return result
  }

  nodesOf(filter: string): readonly NodeId[] {
    return [...(this.#filters.get(filter) ?? [])]
  }

  #find(topic: string): readonly NodeId[] {
    const matched = this.#matched
    this.#filters.match(topic, matched)
    if (matched.length === 0 && this.#unknown.size === 0) return NOWHERE
    const found = new Set(this.#unknown)
    for (const nodes of matched) for (const nodeId of nodes) found.add(nodeId)
    matched.length = 0
    return [...found]
  }

  #filtersOf(nodeId: NodeId): Set<string> {
    let filters = this.#nodes.get(nodeId)
    if (filters === undefined) {
      filters = new Set()
      this.#nodes.set(nodeId, filters)
      this.#unknown.add(nodeId)
      this.#cache.clear()
    }
    return filters
  }

  #drop(nodeId: NodeId, filter: string): void {
    const nodes = this.#filters.get(filter)
    if (nodes === undefined) throw new Error(`filter ${filter} of ${nodeId} is not indexed`)
    nodes.delete(nodeId)
    if (nodes.size === 0) this.#filters.delete(filter)
    this.#invalidate(filter)
  }

  #invalidate(filter: string): void {
    if (hasWildcard(filter)) this.#cache.clear()
    else this.#cache.delete(filter)
  }
}
