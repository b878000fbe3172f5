/**
 * Nodes of a tree by their parent and their name, in one flat table: a step down the tree costs one line of memory for the
 * entry and one for the node, and no string is cut or hashed anew.
 *
 * It hands out the nodes' numbers and knows nothing else of them. The hash is keyed by a secret, so that clients cannot choose
 * names that collide. Invariant: at most half of the table is in use, and no entry lies behind a gap from where it is looked for.
 */

import { mix32 } from '../src/core/interest-hash.ts'

/** What the table needs of a node. */
export interface NamedNode {
  /** Its own, 0 for the root, which is in no table. */
  number: number
  name: string
}

/** Of an entry: the child's number (0: free), its parent's, the hash of its name. The fourth keeps entries on one cache line. */
const STRIDE = 4
const ENTRIES_MIN = 16

export class ChildTable<N extends NamedNode> {
  readonly #seed: number
  readonly #multiplier: number
  readonly #nodes: (N | undefined)[] = [undefined]
  readonly #freeNumbers: number[] = []
  #entries = new Int32Array(STRIDE * ENTRIES_MIN)
  #mask = ENTRIES_MIN - 1
  #size = 0
  /** Where the level that was hashed last ends. */
  levelEnd = 0

  /** `secret`: 32 random bits. */
  constructor(secret: number) {
    this.#seed = secret | 0
    this.#multiplier = mix32(secret ^ 0x9e3779b9) | 1
  }

  /** Hash of the part of `text` from `from` up to the next slash, or its end; which of them is in `levelEnd` then. */
  hashLevel(text: string, from: number): number {
    const { length } = text
    const multiplier = this.#multiplier
    let hash = this.#seed
    let at = from
    for (; at < length; at++) {
      const unit = text.charCodeAt(at)
      if (unit === 0x2f) break
      hash = Math.imul(hash ^ unit, multiplier)
      hash ^= hash >>> 15
    }
    this.levelEnd = at
    return hash
  }

  /** The child whose name is the part of `text` from `from` to `to`, with its hash; undefined when there is none. */
  find(parent: N, hash: number, text: string, from: number, to: number): N | undefined {
    const entries = this.#entries
    const { number } = parent
    for (let i = this.#home(number, hash); ; i = (i + 1) & this.#mask) {
      const at = i * STRIDE
      const child = entries[at] as number
      if (child === 0) return undefined
      if (entries[at + 1] !== number || entries[at + 2] !== hash) continue
      const node = this.#nodes[child] as N
      if (isPart(node.name, text, from, to)) return node
    }
  }

  /** Adds a child that is not there yet, and gives it a number. */
  add(parent: N, hash: number, child: N): void {
    if (++this.#size * 2 > this.#mask) this.#grow()
    child.number = this.#freeNumbers.pop() ?? this.#nodes.length
    this.#nodes[child.number] = child
    this.#put(child.number, parent.number, hash)
  }

  /** Takes out a child that is there. */
  delete(parent: N, hash: number, child: N): void {
    const entries = this.#entries
    const mask = this.#mask
    let gap = this.#home(parent.number, hash)
    while (entries[gap * STRIDE] !== child.number) gap = (gap + 1) & mask
    this.#size--
    this.#nodes[child.number] = undefined
    this.#freeNumbers.push(child.number)
    // Entries behind the gap move up, unless that put them in front of where they are looked for.
    for (let i = (gap + 1) & mask; entries[i * STRIDE] !== 0; i = (i + 1) & mask) {
      const home = this.#home(entries[i * STRIDE + 1] as number, entries[i * STRIDE + 2] as number)
      if (((i - home) & mask) < ((i - gap) & mask)) continue
      entries.copyWithin(gap * STRIDE, i * STRIDE, (i + 1) * STRIDE)
      gap = i
    }
    entries[gap * STRIDE] = 0
  }

  #home(parent: number, hash: number): number {
    const mixed = Math.imul(hash ^ Math.imul(parent, 0x85ebca6b), 0x9e3779b1)
    return (mixed ^ (mixed >>> 15)) & this.#mask
  }

  #put(child: number, parent: number, hash: number): void {
    const entries = this.#entries
    let i = this.#home(parent, hash)
    while (entries[i * STRIDE] !== 0) i = (i + 1) & this.#mask
    entries[i * STRIDE] = child
    entries[i * STRIDE + 1] = parent
    entries[i * STRIDE + 2] = hash
  }

  #grow(): void {
    const old = this.#entries
    this.#entries = new Int32Array(old.length * 2)
    this.#mask = this.#mask * 2 + 1
    for (let at = 0; at < old.length; at += STRIDE) {
      if (old[at] !== 0) this.#put(old[at] as number, old[at + 1] as number, old[at + 2] as number)
    }
  }
}

function isPart(name: string, text: string, from: number, to: number): boolean {
  if (name.length !== to - from) return false
  for (let i = 0; i < name.length; i++) {
    if (name.charCodeAt(i) !== text.charCodeAt(from + i)) return false
  }
  return true
}
