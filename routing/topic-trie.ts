/**
 * Topic filters with wildcards, one value each, matched against topic names (MQTT 5 section 4.7).
 *
 * A tree by levels, without recursion, so that a topic of thousands of levels cannot exhaust the stack. It knows nothing of
 * what the values mean. Invariant: a match visits each tree node at most once, so its work is bounded by the number of
 * filters, whatever their shape.
 */
interface TrieNode<V> {
  children: Map<string, TrieNode<V>> | undefined
  plus: TrieNode<V> | undefined
  /** Value of the filter that ends here. */
  value: V | undefined
  /** Value of the filter that ends here with `/#`. */
  hash: V | undefined
}

function emptyNode<V>(): TrieNode<V> {
  return { children: undefined, plus: undefined, value: undefined, hash: undefined }
}

function isEmpty(node: TrieNode<unknown>): boolean {
  return (
    node.value === undefined &&
    node.hash === undefined &&
    node.plus === undefined &&
    node.children === undefined
  )
}

export class TopicTrie<V extends object> {
  #root = emptyNode<V>()
  #size = 0
  // Scratch for match: nodes to visit, the level each stands before, and the levels cut so far.
  readonly #stackNodes: TrieNode<V>[] = []
  readonly #stackLevels: number[] = []
  readonly #levels: string[] = []

  /** Number of filters. */
  get size(): number {
    return this.#size
  }

  /** The value of exactly this filter. */
  get(filter: string): V | undefined {
    let node: TrieNode<V> | undefined = this.#root
    for (const level of filter.split('/')) {
      if (level === '#') return node.hash
      node = level === '+' ? node.plus : node.children?.get(level)
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
      if (level === '+') {
        node = node.plus ??= emptyNode<V>()
        continue
      }
      const children = (node.children ??= new Map<string, TrieNode<V>>())
      let child = children.get(level)
      if (child === undefined) {
        child = emptyNode<V>()
        children.set(level, child)
      }
      node = child
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
      const node = path[path.length - 1] as TrieNode<V>
      const next = level === '+' ? node.plus : node.children?.get(level)
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
      if (level === '+') parent.plus = undefined
      else {
        parent.children?.delete(level)
        if (parent.children?.size === 0) parent.children = undefined
      }
    }
    return true
  }

  /**
   * Appends the values of all filters that match the topic name to `into`, in no particular order. False when it gave up
   * after `visitsMax` tree nodes: then some may be missing.
   */
  match(topic: string, into: V[], visitsMax = Infinity): boolean {
    if (this.#size === 0) return true
    const nodes = this.#stackNodes
    const depths = this.#stackLevels
    const levels = this.#levels
    levels.length = 0
    let cut = 0 // where the next level begins; -1 when all have been cut
    // Wildcards in the first level do not match topics that begin with $ [MQTT-4.7.2-1].
    const isReserved = topic.charCodeAt(0) === 0x24
    nodes.push(this.#root)
    depths.push(0)
    let visits = 0
    for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
      const depth = depths.pop() as number
      if (++visits > visitsMax) {
        nodes.length = depths.length = 0
        return false
      }
      const takesWildcards = depth > 0 || !isReserved
      if (node.hash !== undefined && takesWildcards) into.push(node.hash)
      if (depth === levels.length && cut !== -1) {
        // Levels are cut as far as some branch has followed them.
        const slash = topic.indexOf('/', cut)
        levels.push(slash === -1 ? topic.slice(cut) : topic.slice(cut, slash))
        cut = slash === -1 ? -1 : slash + 1
      }
      if (depth === levels.length) {
        if (node.value !== undefined) into.push(node.value)
        continue
      }
      if (node.plus !== undefined && takesWildcards) {
        nodes.push(node.plus)
        depths.push(depth + 1)
      }
      const child = node.children?.get(levels[depth] as string)
      if (child !== undefined) {
        nodes.push(child)
        depths.push(depth + 1)
      }
    }
    return true
  }
}
