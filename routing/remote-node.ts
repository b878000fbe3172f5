/**
 * What is known of one other node's interest: the writing side of the remote index.
 *
 * Applies what it is told and reports by stamps that answers given before may be stale; it does not match. Invariant:
 * `checksums` are those of the positions set in this node's slot, once all segments have been written.
 */
import type { NodeId } from '../src/core/ids.ts'
import {
  HASH_POSITIONS,
  positionChecksum,
  positionsOf,
  SEGMENT_BITS,
  SEGMENT_POSITIONS,
} from '../src/core/interest-hash.ts'
import type { RemoteNodeInterest } from '../src/core/ports/routing.ts'
import type { ExactTable } from '../src/core/ports/routing-control.ts'
import { hasWildcard } from '../src/core/topic.ts'
import type { BitPlanes, PlaneSlot } from './bit-planes.ts'
import { exactTableFigures } from './exact-table-figures.ts'
import type { RemotePatterns } from './remote-patterns.ts'

/** Raised whenever a remembered answer may no longer hold. */
export interface AnswerStamps {
  /** Some position of some node changed. */
  exact: number
  /** A pattern changed, or who is known. */
  others: number
}

export interface NodePattern {
  readonly group: string
  readonly filter: string
  readonly members: number
}

export interface RemoteNodeComponents {
  readonly planes: BitPlanes<RemoteNode>
  readonly patterns: RemotePatterns
  readonly stamps: AnswerStamps
  readonly unknown: Set<RemoteNode>
}

export class RemoteNode implements RemoteNodeInterest {
  readonly nodeId: NodeId
  /** The answer that names only this node: the most frequent one. */
  readonly alone: readonly NodeId[]
  readonly #components: RemoteNodeComponents
  readonly #patterns = new Map<string, NodePattern & { members: number }>()
  #place: PlaneSlot<RemoteNode> | undefined
  #words: Uint32Array = new Uint32Array(0)
  /** This node's bit in each word. */
  #bit = 0
  #mask = 0
  /** Of the filter at hand. */
  readonly #positions = new Uint32Array(HASH_POSITIONS)
  #checksums: Uint32Array = new Uint32Array(0)
  #checksum = 0
  #unwritten = new Set<number>()
  #isCleared = false
  /** How many of its patterns have wildcards. */
  wildcards = 0
  /** The match that found this node last; for the index. */
  foundBy = 0

  constructor(nodeId: NodeId, components: RemoteNodeComponents) {
    this.nodeId = nodeId
    this.alone = [nodeId]
    this.#components = components
    components.unknown.add(this)
    components.stamps.others++
  }

  get checksums(): Uint32Array {
    return this.#checksums
  }

  get checksum(): number {
    return this.#checksum
  }

  /** False while it is to match everything. */
  get isKnown(): boolean {
    return !this.#components.unknown.has(this)
  }

  /** Filters with wildcards, and shared subscriptions. */
  get patternCount(): number {
    return this.#patterns.size
  }

  /** `group` is empty for ordinary subscriptions. */
  get patterns(): Iterable<NodePattern> {
    return this.#patterns.values()
  }

  /** How many members it has; as `setPattern`. */
  membersOf(group: string, filter: string): number {
    return this.#patterns.get(`${group}/${filter}`)?.members ?? 0
  }

  /** Whether the bloom filter, complete, has a filter of this hash. */
  hasExact(low: number, high: number): boolean {
    if (this.#place === undefined || this.#unwritten.size > 0) return false
    positionsOf(low, high, this.#mask, this.#positions)
    return this.#positions.every(position => ((this.#words[position] as number) & this.#bit) !== 0)
  }

  /** Figures of the bloom filter; undefined while there is none that is complete. */
  get table(): ExactTable | undefined {
    if (this.#place === undefined || this.#unwritten.size > 0) return undefined
    return exactTableFigures(this.#words, this.#bit, Math.log2(this.#mask + 1))
  }

  setKnown(known: boolean): void {
    if (this.#isCleared) throw new Error(`the interest of ${this.nodeId} was cleared`)
    if (known && (this.#place === undefined || this.#unwritten.size > 0)) {
      throw new Error(`the bloom filter of ${this.nodeId} is not complete`)
    }
    const { unknown, stamps } = this.#components
    if (known) unknown.delete(this)
    else unknown.add(this)
    if (this.#place !== undefined) {
      const { plane } = this.#place
      plane.active = known ? plane.active | this.#bit : plane.active & ~this.#bit
    }
    stamps.others++
    stamps.exact++
  }

  begin(bits: number): void {
    this.#release()
    this.#place = this.#components.planes.take(bits, this)
    this.#words = this.#place.plane.words
    this.#bit = 1 << this.#place.slot
    this.#mask = 2 ** bits - 1
    this.#checksums = new Uint32Array(2 ** (bits - SEGMENT_BITS))
    this.#checksum = 0
    this.#unwritten = new Set(this.#checksums.keys())
    this.setKnown(false)
  }

  writeSegment(index: number, words: Uint32Array): void {
    const table = this.#words
    const bit = this.#bit
    const others = ~bit
    let checksum = 0
    for (let from = index << SEGMENT_BITS; from < table.length; from += this.#mask + 1) {
      const isFirst = from <= this.#mask
      for (let i = 0; i < SEGMENT_POSITIONS; i += 32) {
        const word = words[i >>> 5] as number
        for (let j = 0; j < 32; j++) {
          const isSet = (word >>> j) & 1
          const at = from + i + j
          table[at] = ((table[at] as number) & others) | (-isSet & bit)
          if (isSet === 1 && isFirst) checksum = (checksum + positionChecksum(at)) | 0
        }
      }
    }
    this.#checksum = (this.#checksum - (this.#checksums[index] as number) + checksum) >>> 0
    this.#checksums[index] = checksum
    this.#unwritten.delete(index)
    this.#components.stamps.exact++
  }

  segment(index: number): Uint32Array {
    const words = new Uint32Array(SEGMENT_POSITIONS / 32)
    const from = index << SEGMENT_BITS
    for (let i = 0; i < SEGMENT_POSITIONS; i++) {
      if (((this.#words[from + i] as number) & this.#bit) !== 0)
        words[i >>> 5] = (words[i >>> 5] as number) | (1 << (i & 31))
    }
    return words
  }

  addExact(low: number, high: number): void {
    const words = this.#words
    const bit = this.#bit
    const positions = this.#positions
    positionsOf(low, high, this.#mask, positions)
    for (let i = 0; i < HASH_POSITIONS; i++) {
      const position = positions[i] as number
      if (((words[position] as number) & bit) === 0) this.#flip(position, positionChecksum(position))
    }
  }

  removeExact(low: number, high: number, fallen: number): void {
    const words = this.#words
    const bit = this.#bit
    const positions = this.#positions
    positionsOf(low, high, this.#mask, positions)
    for (let i = 0; i < HASH_POSITIONS; i++) {
      const position = positions[i] as number
      if (((fallen >>> i) & 1) === 1 && ((words[position] as number) & bit) !== 0) {
        this.#flip(position, -positionChecksum(position))
      }
    }
  }

  setPattern(group: string, filter: string, members: number): number {
    const key = `${group}/${filter}` // the name of a group has no slash
    const held = this.#patterns.get(key)
    const before = held?.members ?? 0
    if (before === members) return before
    if (held === undefined) this.#patterns.set(key, { group, filter, members })
    else if (members > 0) held.members = members
    else this.#patterns.delete(key)
    if (hasWildcard(filter)) this.wildcards += (members > 0 ? 1 : 0) - (before > 0 ? 1 : 0)
    this.#components.patterns.set(this, group, filter, members)
    this.#components.stamps.others++
    return before
  }

  clearPatterns(): void {
    for (const { group, filter } of this.#patterns.values()) {
      this.#components.patterns.set(this, group, filter, 0)
    }
    this.#patterns.clear()
    this.wildcards = 0
    this.#components.stamps.others++
  }

  /** Takes everything out of the index; nothing may be written any more. */
  clear(): void {
    this.clearPatterns()
    this.#release()
    this.#isCleared = true
    this.#components.unknown.delete(this)
    this.#components.stamps.others++
    this.#components.stamps.exact++
  }

  #release(): void {
    if (this.#place !== undefined) this.#components.planes.release(this.#place)
    this.#place = undefined
  }

  #flip(position: number, checksum: number): void {
    const words = this.#words
    for (let at = position; at < words.length; at += this.#mask + 1)
      words[at] = (words[at] as number) ^ this.#bit
    const segment = position >>> SEGMENT_BITS
    this.#checksums[segment] = (this.#checksums[segment] as number) + checksum
    this.#checksum = (this.#checksum + checksum) >>> 0
    this.#components.stamps.exact++
  }
}
