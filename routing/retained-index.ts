/**
 * Retained messages by topic, in a tree by levels, found by filter.
 *
 * It neither expires nor bounds them. A match walks only the branches its filter names, without recursion, so that a topic
 * of thousands of levels cannot exhaust the stack. Invariants: every branch leads to a message; `size` and `byteCount` are those
 * of the messages held.
 */
import type { RetainedIndex } from '../src/core/ports/retained.ts'
import type { Publication } from '../src/core/publication.ts'

interface TopicNode {
  /** Its level begins with $. */
  readonly isReserved: boolean
  children: Map<string, TopicNode> | undefined
  publication: Publication | undefined
}

const DOLLAR = 0x24

export class TopicTreeRetainedIndex implements RetainedIndex {
  readonly #root = emptyNode('')
  #size = 0
  #byteCount = 0

  get size(): number {
    return this.#size
  }

  get byteCount(): number {
    return this.#byteCount
  }

  set(publication: Publication): void {
    let node = this.#root
    for (const level of publication.topic.split('/')) {
      const children = (node.children ??= new Map<string, TopicNode>())
      let child = children.get(level)
      if (child === undefined) {
        child = emptyNode(level)
        children.set(level, child)
      }
      node = child
    }
    if (node.publication === undefined) this.#size++
    else this.#byteCount -= byteCountOf(node.publication)
    this.#byteCount += byteCountOf(publication)
    node.publication = publication
  }

  delete(topic: string): boolean {
    const levels = topic.split('/')
    const path = [this.#root]
    for (const level of levels) {
      const next = path[path.length - 1]?.children?.get(level)
      if (next === undefined) return false
      path.push(next)
    }
    const last = path[path.length - 1] as TopicNode
    if (last.publication === undefined) return false
    this.#size--
    this.#byteCount -= byteCountOf(last.publication)
    last.publication = undefined
    for (let i = levels.length; i > 0 && isEmpty(path[i] as TopicNode); i--) {
      const parent = path[i - 1] as TopicNode
      parent.children?.delete(levels[i - 1] as string)
      if (parent.children?.size === 0) parent.children = undefined
    }
    return true
  }

  get(topic: string): Publication | undefined {
    let node: TopicNode | undefined = this.#root
    for (const level of topic.split('/')) {
      node = node.children?.get(level)
      if (node === undefined) return undefined
    }
    return node.publication
  }

  /** In no particular order. `visit` must not change the index. */
  match(filter: string, visit: (publication: Publication) => boolean): void {
    const levels = filter.split('/')
    const isOpen = levels[levels.length - 1] === '#'
    // Up to here the filter chooses; below it everything matches or nothing.
    const depthMax = isOpen ? levels.length - 1 : levels.length
    const isLevelChosen = (depth: number): boolean => depth < depthMax && levels[depth] !== '+'
    // For each level of the branch being walked: the nodes still to visit there.
    const walk = [[this.#root].values()]
    for (let siblings = walk[0]; siblings !== undefined; siblings = walk[walk.length - 1]) {
      const { value: node, done } = siblings.next()
      if (done === true) {
        walk.pop()
        continue
      }
      const depth = walk.length - 1
      // A leading wildcard does not match topics that begin with $ [MQTT-4.7.2-1].
      if (depth === 1 && node.isReserved && !isLevelChosen(0)) continue
      if (depth >= depthMax && node.publication !== undefined && !visit(node.publication)) return
      if (node.children === undefined || (depth >= depthMax && !isOpen)) continue
      if (isLevelChosen(depth)) {
        const child = node.children.get(levels[depth] as string)
        if (child !== undefined) walk.push([child].values())
      } else {
        walk.push(node.children.values())
      }
    }
  }
}

function emptyNode(level: string): TopicNode {
  return { isReserved: level.charCodeAt(0) === DOLLAR, children: undefined, publication: undefined }
}

function isEmpty(node: TopicNode): boolean {
  return node.publication === undefined && node.children === undefined
}

function byteCountOf({ topic, payload, properties }: Publication): number {
  return Buffer.byteLength(topic) + payload.length + (properties?.length ?? 0)
}
