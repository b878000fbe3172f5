/**
 * The exact filters of this node's clients as a counting bloom filter: how often each position is used, which are used at
 * all, and an additive checksum of those per segment.
 *
 * Counts take four bits, and one that reaches 15 stays there until the filter is built anew: a position too many costs a
 * wasted forward, one too few would lose messages. Invariant: a position is set exactly when its count is above 0, and
 * `checksums` are those of the set positions.
 */
import {
  HASH_POSITIONS,
  positionChecksum,
  positionsOf,
  SEGMENT_BITS,
  SEGMENT_POSITIONS,
} from '../src/core/interest-hash.ts'

const STUCK = 15
export const SEGMENT_WORDS = SEGMENT_POSITIONS / 32

export class CountingBloom {
  /** It has 2^bits positions. */
  readonly bits: number
  readonly checksums: Uint32Array
  readonly #mask: number
  /** Two counts per byte. */
  readonly #counts: Uint8Array
  readonly #set: Uint32Array
  /** Of the filter at hand. */
  readonly #positions = new Uint32Array(HASH_POSITIONS)
  #checksum = 0

  constructor(bits: number) {
    this.bits = bits
    this.#mask = 2 ** bits - 1
    this.#counts = new Uint8Array(2 ** (bits - 1))
    this.#set = new Uint32Array(2 ** (bits - 5))
    this.checksums = new Uint32Array(2 ** (bits - SEGMENT_BITS))
  }

  /** Sum of all segments' checksums, modulo 2^32. */
  get checksum(): number {
    return this.#checksum
  }

  add(low: number, high: number): void {
    const counts = this.#counts
    const positions = this.#positions
    positionsOf(low, high, this.#mask, positions)
    for (let i = 0; i < HASH_POSITIONS; i++) {
      const position = positions[i] as number
      const shift = (position & 1) << 2
      const byte = counts[position >>> 1] as number
      const count = (byte >>> shift) & 15
      if (count < STUCK) {
        counts[position >>> 1] = byte + (1 << shift)
        if (count === 0) this.#flip(position, positionChecksum(position))
      }
    }
  }

  /** Takes out what was added before. Bit i of the answer: the filter's position i fell to zero. */
  remove(low: number, high: number): number {
    const counts = this.#counts
    let fallen = 0
    const positions = this.#positions
    positionsOf(low, high, this.#mask, positions)
    for (let i = 0; i < HASH_POSITIONS; i++) {
      const position = positions[i] as number
      const shift = (position & 1) << 2
      const byte = counts[position >>> 1] as number
      const count = (byte >>> shift) & 15
      if (count === 0) throw new Error('a filter was taken out of the bloom filter that was not in it')
      if (count < STUCK) {
        counts[position >>> 1] = byte - (1 << shift)
        if (count === 1) {
          this.#flip(position, -positionChecksum(position))
          fallen |= 1 << i
        }
      }
    }
    return fallen
  }

  /** A copy of one segment's set positions, one bit each, lowest first. */
  segment(index: number): Uint32Array {
    return this.#set.slice(index * SEGMENT_WORDS, (index + 1) * SEGMENT_WORDS)
  }

  #flip(position: number, checksum: number): void {
    const word = position >>> 5
    this.#set[word] = (this.#set[word] as number) ^ (1 << (position & 31))
    const segment = position >>> SEGMENT_BITS
    this.checksums[segment] = (this.checksums[segment] as number) + checksum
    this.#checksum = (this.#checksum + checksum) >>> 0
  }
}
