/**
 * The interest of one life as one feed alone brings it: read from its records, then continued by deltas.
 *
 * It is for comparing, not for matching: what it holds is summed up by `state`. Invariant: after `load` and after each `apply`
 * it is exactly what the origin announced up to that sequence, if the feed is right. The segments it is read from may be of
 * different ages: whatever changed since the oldest is in the log, and says of each position how it ended.
 */
import type { TopicHasher } from '../src/core/interest-hash.ts'
import { HASH_POSITIONS, positionChecksum, positionsOf, SEGMENT_BITS } from '../src/core/interest-hash.ts'
import type { InterestRecord } from '../src/core/ports/interest-records.ts'
import { applyExactChanges } from './delta-codec.ts'
import type { InterestDelta } from './delta-codec.ts'
import {
  BASE_NAME,
  decodeBase,
  decodeLog,
  joinRecords,
  LOG_PREFIX,
  PATTERN_PREFIX,
  segmentName,
} from './feed-codec.ts'
import type { FeedBase } from './feed-codec.ts'
import { decodeInterestFrame } from './interest-frame-codec.ts'
import { PatternTable } from './pattern-table.ts'
import { SEGMENT_WORDS } from './counting-bloom.ts'

/** An interest as of one sequence, in numbers. */
export interface FeedState {
  readonly sequence: number
  readonly generation: number
  readonly exactCount: number
  readonly exactChecksum: number
  readonly patternCount: number
  readonly patternChecksum: number
}

export class FeedImage {
  readonly #words: Uint32Array
  readonly #mask: number
  readonly #generation: number
  readonly #patterns: PatternTable
  readonly #positions = new Uint32Array(HASH_POSITIONS)
  #sequence: number
  #exactCount: number
  #checksum = 0

  private constructor({ summary }: FeedBase, hasher: TopicHasher) {
    this.#words = new Uint32Array(2 ** (summary.bits - 5))
    this.#mask = 2 ** summary.bits - 1
    this.#generation = summary.generation
    this.#sequence = summary.sequence
    this.#exactCount = summary.exactCount
    this.#patterns = new PatternTable(hasher)
  }

  /** Of all the records of a life. Undefined while they are not complete: the life is still, or again, writing them. */
  static load(records: readonly InterestRecord[], hasher: TopicHasher): FeedImage | undefined {
    const values = new Map(joinRecords(records).map(({ name, value }) => [name, value]))
    const found = values.get(BASE_NAME)
    const base = found && decodeBase(found)
    if (base === undefined) return undefined
    const image = new FeedImage(base, hasher)
    return image.#read(base, values) ? image : undefined
  }

  get state(): FeedState {
    return {
      sequence: this.#sequence,
      generation: this.#generation,
      exactCount: this.#exactCount,
      exactChecksum: this.#checksum,
      patternCount: this.#patterns.size,
      patternChecksum: this.#patterns.checksum,
    }
  }

  /** `applied`; `known` before; `gap`: one before it is missing, or the bloom filter was built anew. */
  apply(delta: InterestDelta): 'applied' | 'known' | 'gap' {
    if (delta.lastSequence <= this.#sequence) return 'known'
    if (delta.firstSequence !== this.#sequence + 1 || delta.generation !== this.#generation) return 'gap'
    this.#exactCount += applyExactChanges(delta.exact, this)
    for (const pattern of delta.patterns) this.#patterns.set(pattern)
    this.#sequence = delta.lastSequence
    return 'applied'
  }

  addExact(low: number, high: number): void {
    positionsOf(low, high, this.#mask, this.#positions)
    for (const position of this.#positions)
      if (!this.#isSet(position)) this.#flip(position, positionChecksum(position))
  }

  removeExact(low: number, high: number, fallen: number): void {
    positionsOf(low, high, this.#mask, this.#positions)
    for (let i = 0; i < HASH_POSITIONS; i++) {
      const position = this.#positions[i] as number
      if (((fallen >>> i) & 1) === 1 && this.#isSet(position))
        this.#flip(position, -positionChecksum(position))
    }
  }

  #read(base: FeedBase, values: ReadonlyMap<string, Uint8Array>): boolean {
    const { generation, bits } = base.summary
    for (let index = 0; index < 2 ** (bits - SEGMENT_BITS); index++) {
      const value = values.get(segmentName(generation, index))
      const frame = value && decodeInterestFrame(value)
      const [segment] = frame?.type === 'segments' ? frame.segments : []
      if (segment?.index !== index) return false
      this.#words.set(segment.words, index * SEGMENT_WORDS)
    }
    this.#checksum = this.#sum()
    let patternValues = 0
    for (const [name, value] of values) {
      if (!name.startsWith(`${PATTERN_PREFIX}${base.patternSet}/`)) continue
      const frame = decodeInterestFrame(value)
      if (frame?.type !== 'patterns') return false
      for (const pattern of frame.patterns) this.#patterns.set(pattern)
      patternValues++
    }
    return patternValues === base.patternValues && this.#replay(values)
  }

  #replay(values: ReadonlyMap<string, Uint8Array>): boolean {
    for (const [name, value] of values) {
      if (!name.startsWith(LOG_PREFIX)) continue
      const deltas = decodeLog(value)
      if (deltas === undefined) return false
      for (const delta of deltas) if (this.apply(delta) === 'gap') return false
    }
    return true
  }

  #sum(): number {
    let checksum = 0
    for (let i = 0; i < this.#words.length; i++) {
      for (let word = this.#words[i] as number; word !== 0; word &= word - 1) {
        checksum = (checksum + positionChecksum(i * 32 + 31 - Math.clz32(word & -word))) | 0
      }
    }
    return checksum >>> 0
  }

  #isSet(position: number): boolean {
    return (((this.#words[position >>> 5] as number) >>> (position & 31)) & 1) === 1
  }

  #flip(position: number, checksum: number): void {
    this.#words[position >>> 5] = (this.#words[position >>> 5] as number) ^ (1 << (position & 31))
    this.#checksum = (this.#checksum + checksum) >>> 0
  }
}
