import type { NodeId } from '../src/core/ids.ts'
import type { RemoteGroup } from '../src/core/ports/routing.ts'
import { FilterTable } from './filter-table.ts'
import type { RemoteNode } from './remote-node.ts'

/** Who wants the topics of one filter. */
export interface RemotePattern {
  readonly filter: string
  /** Nodes with ordinary subscriptions. */
  readonly nodes: RemoteNode[]
  readonly groups: Map<string, RemotePatternGroup>
}

interface RemotePatternGroup extends RemoteGroup {
  readonly members: Map<NodeId, number>
  readonly nodes: RemoteNode[]
}

/**
 * Other nodes' filters with wildcards, and their shared subscriptions, all exactly. Knows nothing of exact filters, nor of
 * who is known. Invariant: every pattern has a node.
 */
export class RemotePatterns {
  readonly #patterns: FilterTable<RemotePattern>
  #groupCount = 0

  constructor(secret: number) {
    this.#patterns = new FilterTable(secret)
  }

  /** Distinct shared subscriptions. */
  get groupCount(): number {
    return this.#groupCount
  }

  get size(): number {
    return this.#patterns.size
  }

  /** `members` of `node`, 0 for none; `group` empty for ordinary subscriptions. */
  set(node: RemoteNode, group: string, filter: string, members: number): void {
    let pattern = this.#patterns.get(filter)
    if (pattern === undefined) {
      if (members === 0) return
      pattern = { filter, nodes: [], groups: new Map() }
      this.#patterns.set(filter, pattern)
    }
    if (group === '') put(pattern.nodes, node, members > 0)
    else this.#setGroup(pattern, node, group, filter, members)
    if (pattern.nodes.length === 0 && pattern.groups.size === 0) this.#patterns.delete(filter)
  }

  /** Appends the patterns that match; false when it gave up after `visitsMax` steps. */
  match(topic: string, into: RemotePattern[], visitsMax: number): boolean {
    return this.#patterns.match(topic, into, visitsMax)
  }

  #setGroup(pattern: RemotePattern, node: RemoteNode, name: string, filter: string, members: number): void {
    let group = pattern.groups.get(name)
    if (group === undefined) {
      if (members === 0) return
      group = { group: name, filter, members: new Map(), nodes: [] }
      pattern.groups.set(name, group)
      this.#groupCount++
    }
    put(group.nodes, node, members > 0)
    if (members > 0) group.members.set(node.nodeId, members)
    else group.members.delete(node.nodeId)
    if (group.members.size > 0) return
    pattern.groups.delete(name)
    this.#groupCount--
  }
}

function put(nodes: RemoteNode[], node: RemoteNode, isIn: boolean): void {
  const at = nodes.indexOf(node)
  if (isIn && at === -1) nodes.push(node)
  else if (!isIn && at !== -1) nodes.splice(at, 1)
}
