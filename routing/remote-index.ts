/**
 * What the clients of other nodes are interested in, and which nodes a topic must go to: exact filters in bit-sliced bloom
 * filters, wildcards and shared subscriptions in a tree.
 *
 * Fed by the interest exchange; it does not know how interest got here. Invariants: a node whose interest is not known
 * matches every topic (DESIGN section 4.3); never a node too few is named; a remembered answer is used only while the
 * stamps it carries are the present ones; a match's work is bounded whatever filters others have.
 */
import type { NodeId } from '../src/core/ids.ts'
import { TopicHasher } from '../src/core/interest-hash.ts'
import { limits } from '../src/core/limits.ts'
import type { RemoteGroup, RemoteIndex, RemoteNodeInterest } from '../src/core/ports/routing.ts'
import { BitPlanes } from './bit-planes.ts'
import { RemoteNode } from './remote-node.ts'
import type { AnswerStamps } from './remote-node.ts'
import { RemotePatterns } from './remote-patterns.ts'
import type { RemotePattern } from './remote-patterns.ts'

const NOWHERE: readonly NodeId[] = []
const NO_NODES: readonly RemoteNode[] = []
const NO_GROUPS: readonly RemoteGroup[] = []
/** Longer answers are not remembered, so that all of them together stay below `limits.topicCacheItemsMax`. */
const REMEMBERED_ITEMS_MAX = Math.floor(limits.topicCacheItemsMax / limits.topicCacheEntriesMax)

/** What was found for a topic, as of two stamps. */
class Answer {
  topic = ''
  low = 0
  high = 0
  exactStamp = -1
  othersStamp = -1
  nodes = NOWHERE
  /** Those of `nodes` that are there for other reasons than an exact filter. */
  others = NO_NODES
  groups: readonly RemoteGroup[] | undefined = NO_GROUPS
}

/** Why nodes match a topic. */
export interface RemoteMatch {
  readonly patterns: readonly RemotePattern[]
  /** False: there may be more patterns, and every node with wildcards matches. */
  readonly isComplete: boolean
  /** Known nodes whose bloom filter has the topic. */
  readonly exact: readonly RemoteNode[]
  readonly unknown: readonly RemoteNode[]
}

export class HashedRemoteIndex implements RemoteIndex {
  readonly #hasher: TopicHasher
  readonly #nodes = new Map<NodeId, RemoteNode>()
  readonly #unknown = new Set<RemoteNode>()
  readonly #planes = new BitPlanes<RemoteNode>()
  readonly #patterns: RemotePatterns
  readonly #stamps: AnswerStamps = { exact: 0, others: 0 }
  /** By hash; one topic takes another's place. Beside each the hash of the topic asked for last. */
  readonly #answers = new Array<Answer | undefined>(limits.topicCacheEntriesMax).fill(undefined)
  readonly #lows = new Int32Array(limits.topicCacheEntriesMax)
  readonly #highs = new Int32Array(limits.topicCacheEntriesMax)
  /** The answer that is not remembered. */
  readonly #passing = new Answer()
  readonly #matched: RemotePattern[] = []
  #matchNumber = 0
  #cutMatches = 0

  /**
   * `cluster` is its name: the hashes of exact filters depend on it. `secret`: 32 random bits, so that clients cannot choose
   * wildcards that make the tree slow.
   */
  constructor(cluster: string, secret = 0) {
    this.#hasher = new TopicHasher(cluster)
    this.#patterns = new RemotePatterns(secret)
  }

  /** Matches that gave up walking wildcards, and named every node that has any. */
  get cutMatches(): number {
    return this.#cutMatches
  }

  /** Bytes of the tables of exact filters. */
  get tableBytes(): number {
    let bytes = 0
    for (const { words } of this.#planes.all) bytes += words.byteLength
    return bytes
  }

  node(nodeId: NodeId): RemoteNodeInterest {
    let node = this.#nodes.get(nodeId)
    if (node === undefined) {
      if (this.#nodes.size >= limits.clusterNodesMax) {
        throw new Error(`more than ${limits.clusterNodesMax} nodes in one cluster`)
      }
      node = new RemoteNode(nodeId, {
        planes: this.#planes,
        patterns: this.#patterns,
        stamps: this.#stamps,
        unknown: this.#unknown,
      })
      this.#nodes.set(nodeId, node)
    }
    return node
  }

  clear(nodeId: NodeId): void {
    this.#nodes.get(nodeId)?.clear()
    this.#nodes.delete(nodeId)
  }

  match(topic: string): readonly NodeId[] {
    return this.#nodes.size === 0 ? NOWHERE : this.#answer(topic).nodes
  }

  matchShared(topic: string): readonly RemoteGroup[] | undefined {
    return this.#patterns.groupCount === 0 ? NO_GROUPS : this.#answer(topic).groups
  }

  get unknownNodes(): readonly NodeId[] {
    return this.#unknown.size === 0 ? NOWHERE : Array.from(this.#unknown, ({ nodeId }) => nodeId)
  }

  /** Nodes that are known of, also those that are gone and kept. */
  get nodes(): ReadonlyMap<NodeId, RemoteNode> {
    return this.#nodes
  }

  /** Nodes with a filter without wildcards, certain or not. Nothing is remembered. */
  holdersOfExact(filter: string): readonly RemoteNode[] {
    this.#hasher.hash(filter)
    const { low, high } = this.#hasher
    return [...this.#nodes.values()].filter(node => node.hasExact(low, high))
  }

  /** What `match` and `matchShared` answer from, for this topic. Nothing is remembered. */
  reasonsFor(topic: string): RemoteMatch {
    const patterns: RemotePattern[] = []
    const isComplete = this.#patterns.match(topic, patterns, limits.wildcardVisitsMax)
    const exact = this.holdersOfExact(topic).filter(node => node.isKnown)
    return { patterns, isComplete, exact, unknown: [...this.#unknown] }
  }

  #answer(topic: string): Answer {
    const hasher = this.#hasher
    hasher.hash(topic)
    const { low, high } = hasher
    const at = (low >>> 0) % limits.topicCacheEntriesMax
    if (this.#lows[at] === low && this.#highs[at] === high) {
      const remembered = this.#answers[at]
      if (remembered === undefined) return this.#remember(at, topic, low, high)
      if (remembered.topic === topic) return this.#refresh(remembered)
    }
    // Remembered when it is asked for again: of topics that come once nothing is kept.
    this.#lows[at] = low
    this.#highs[at] = high
    this.#answers[at] = undefined
    const answer = this.#passing
    answer.low = low
    answer.high = high
    this.#find(topic, answer)
    return answer
  }

  #remember(at: number, topic: string, low: number, high: number): Answer {
    const answer = new Answer()
    answer.topic = topic
    answer.low = low
    answer.high = high
    this.#find(topic, answer)
    const items = answer.nodes.length + (answer.groups?.length ?? 0)
    if (topic.length <= limits.cachedTopicLengthMax && items <= REMEMBERED_ITEMS_MAX)
      this.#answers[at] = answer
    return answer
  }

  #refresh(answer: Answer): Answer {
    if (answer.othersStamp !== this.#stamps.others) this.#find(answer.topic, answer)
    else if (answer.exactStamp !== this.#stamps.exact) this.#findExact(answer)
    return answer
  }

  /** Everything but the exact filters, then those. */
  #find(topic: string, answer: Answer): void {
    answer.othersStamp = this.#stamps.others
    answer.others = NO_NODES
    answer.groups = NO_GROUPS
    if (this.#unknown.size > 0 || this.#patterns.size > 0) this.#findOthers(topic, answer)
    this.#findExact(answer)
  }

  #findOthers(topic: string, answer: Answer): void {
    const matched = this.#matched
    const isComplete = this.#patterns.match(topic, matched, limits.wildcardVisitsMax)
    if (matched.length === 0 && this.#unknown.size === 0 && isComplete) return
    const number = ++this.#matchNumber
    const found: RemoteNode[] = []
    const groups: RemoteGroup[] = []
    for (const node of this.#unknown) found.push(mark(node, number))
    for (const pattern of matched) {
      for (const node of pattern.nodes) if (node.foundBy !== number) found.push(mark(node, number))
      for (const group of pattern.groups.values()) {
        groups.push(group)
        // Served by `matchShared` alone, unless nobody can tell the groups.
        if (isComplete) continue
        for (const node of group.nodes) if (node.foundBy !== number) found.push(mark(node, number))
      }
    }
    matched.length = 0
    if (!isComplete) {
      this.#cutMatches++
      for (const node of this.#nodes.values()) {
        if (node.wildcards > 0 && node.foundBy !== number) found.push(mark(node, number))
      }
    }
    answer.others = found
    answer.groups = isComplete ? groups : undefined
  }

  #findExact(answer: Answer): void {
    answer.exactStamp = this.#stamps.exact
    const { others, low, high } = answer
    let nodes: NodeId[] | undefined
    let alone: RemoteNode | undefined
    const number = ++this.#matchNumber
    const planes = this.#planes.all
    for (let i = 0; i < others.length; i++) {
      const node = mark(others[i] as RemoteNode, number)
      if (nodes === undefined) nodes = [node.nodeId]
      else nodes.push(node.nodeId)
    }
    for (let i = 0; i < planes.length; i++) {
      const plane = planes[i] as (typeof planes)[number]
      for (let bits = plane.match(low, high); bits !== 0; bits &= bits - 1) {
        const node = plane.slots[31 - Math.clz32(bits & -bits)] as RemoteNode
        if (node.foundBy === number) continue
        if (nodes !== undefined) nodes.push(node.nodeId)
        else if (alone === undefined) alone = node
        else nodes = [alone.nodeId, node.nodeId]
      }
    }
    answer.nodes = nodes ?? alone?.alone ?? NOWHERE
  }
}

function mark(node: RemoteNode, number: number): RemoteNode {
  node.foundBy = number
  return node
}
