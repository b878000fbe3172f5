/**
 * Topic filters with wildcards, one value each, matched against topic names (MQTT 5 section 4.7).
 *
 * A tree by levels, without recursion, so that a topic of thousands of levels cannot exhaust the stack. It knows nothing of
 * what the values mean. Invariant: a match visits each tree node at most once, so its work is bounded by the number of
 * filters, whatever their shape.
 */
import { ChildTable, type NamedNode } from './child-table.ts'

interface TrieNode<V> extends NamedNode {
  /** How many children it has that are no wildcard. */
  children: number
  plus: TrieNode<V> | undefined
  /** Value of the filter that ends here. */
  value: V | undefined
  /** Value of the filter that ends here with `/#`. */
  hash: V | undefined
}

function emptyNode<V>(name: string): TrieNode<V> {
  return { number: 0, name, children: 0, plus: undefined, value: undefined, hash: undefined }
}

function isEmpty(node: TrieNode<unknown>): boolean {
  return node.value === undefined && node.hash === undefined && node.plus === undefined && node.children === 0
}

export class TopicTrie<V extends object> {
  #root = emptyNode<V>('')
  #size = 0
  readonly #table: ChildTable<TrieNode<V>>
  // Scratch for match: branches not followed yet, with the level each stands before, and the levels of the topic so far.
  readonly #branches: TrieNode<V>[] = []
  readonly #branchLevels: number[] = []
  readonly #starts: number[] = []
  readonly #hashes: number[] = []

  /** `secret`: 32 random bits where clients choose the filters. */
  constructor(secret: number) {
    this.#table = new ChildTable(secret)
  }

  /** Number of filters. */
  get size(): number {
    return this.#size
  }

  /** The value of exactly this filter. */
  get(filter: string): V | undefined {
    let node: TrieNode<V> | undefined = this.#root
    for (const level of filter.split('/')) {
      if (level === '#') return node.hash
      node = this.#childOf(node, level)
      if (node === undefined) return undefined
    }
    return node.value
  }

  /** Sets the value of a valid filter. */
  set(filter: string, value: V): void {
    let node = this.#root
    for (const level of filter.split('/')) {
      if (level === '#') {
        if (node.hash === undefined) this.#size++
        node.hash = value
        return
      }
      node = this.#childOf(node, level) ?? this.#addChild(node, level)
    }
    if (node.value === undefined) this.#size++
    node.value = value
  }

  /** Removes a filter, and the branches that lead nowhere without it. False when it is not there. */
  delete(filter: string): boolean {
    const levels = filter.split('/')
    const path: TrieNode<V>[] = [this.#root]
    for (const level of levels) {
      if (level === '#') break
      const next = this.#childOf(path[path.length - 1] as TrieNode<V>, level)
      if (next === undefined) return false
      path.push(next)
    }
    const last = path[path.length - 1] as TrieNode<V>
    if (levels[levels.length - 1] === '#') {
      if (last.hash === undefined) return false
      last.hash = undefined
    } else {
      if (last.value === undefined) return false
      last.value = undefined
    }
    this.#size--
    for (let i = path.length - 1; i > 0 && isEmpty(path[i] as TrieNode<V>); i--) {
      const parent = path[i - 1] as TrieNode<V>
      const level = levels[i - 1] as string
      this.#table.delete(parent, this.#table.hashLevel(level, 0), path[i] as TrieNode<V>)
      if (level === '+') parent.plus = undefined
      else parent.children--
    }
    return true
  }

  /**
   * Appends the values of all filters that match the topic name to `into`, in no particular order. False when it gave up
   * after `visitsMax` tree nodes: then some may be missing.
   */
  match(topic: string, into: V[], visitsMax = Infinity): boolean {
    if (this.#size === 0) return true
    const branches = this.#branches
    const branchLevels = this.#branchLevels
    const starts = this.#starts
    const hashes = this.#hashes
    let levels = 0 // how many levels of the topic are known: as many as some branch has come to
    starts[0] = 0
    // Wildcards in the first level do not match topics that begin with $ [MQTT-4.7.2-1].
    const isReserved = topic.charCodeAt(0) === 0x24
    let visits = 0
    let depth = 0
    for (let node: TrieNode<V> | undefined = this.#root; node !== undefined;) {
      if (++visits > visitsMax) {
        branches.length = branchLevels.length = 0
        return false
      }
      const takesWildcards = depth > 0 || !isReserved
      if (node.hash !== undefined && takesWildcards) into.push(node.hash)
      let next: TrieNode<V> | undefined
      if ((starts[depth] as number) > topic.length) {
        if (node.value !== undefined) into.push(node.value)
      } else {
        if (depth === levels && (node.children > 0 || node.plus !== undefined)) {
          hashes[depth] = this.#table.hashLevel(topic, starts[depth] as number)
          starts[++levels] = this.#table.levelEnd + 1
        }
        if (node.children > 0) {
          const from = starts[depth] as number
          next = this.#table.find(
            node,
            hashes[depth] as number,
            topic,
            from,
            (starts[depth + 1] as number) - 1,
          )
        }
        if (node.plus !== undefined && takesWildcards) {
          if (next === undefined) {
            next = node.plus
          } else {
            branches.push(node.plus)
            branchLevels.push(depth + 1)
          }
        }
      }
      depth++
      if (next === undefined) {
        next = branches.pop()
        if (next !== undefined) depth = branchLevels.pop() as number
      }
      node = next
    }
    return true
  }

  #childOf(node: TrieNode<V>, level: string): TrieNode<V> | undefined {
    if (level === '+') return node.plus
    if (node.children === 0) return undefined
    return this.#table.find(node, this.#table.hashLevel(level, 0), level, 0, level.length)
  }

  #addChild(node: TrieNode<V>, level: string): TrieNode<V> {
    const child = emptyNode<V>(level)
    // `+` is in the table for its number; it is found by its parent.
    this.#table.add(node, this.#table.hashLevel(level, 0), child)
    if (level === '+') node.plus = child
    else node.children++
    return child
  }
}
