/**
 * How exact topic filters become 64-bit hashes and positions of a bloom filter, the same on every node of a cluster
 * (gossip/WIRE.md).
 *
 * Shared by the origin of an interest, which counts positions, and by its receivers, which look topics up. Pure; the hasher
 * keeps its last result so that hashing makes no object. Invariant: a position in a filter of 2^k is the low k bits of one
 * in any larger filter, so that a smaller filter is widened by repeating it.
 */

/** Positions per filter. Fixed by the wire format: a removal says in 7 bits which of them fell to zero. */
export const HASH_POSITIONS = 7
/** Positions of one segment, the unit of checksums and repair: 4 KiB as bits. */
export const SEGMENT_BITS = 15
export const SEGMENT_POSITIONS = 1 << SEGMENT_BITS
/** A filter has 2^k positions, k from here (one segment) … */
export const BLOOM_BITS_MIN = 15
/** … to here. */
export const BLOOM_BITS_MAX = 26

/** The finisher of MurmurHash3: every bit of the input changes every bit of the result with probability ½. */
export function mix32(value: number): number {
  let x = value
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return x ^ (x >>> 16)
}

/** What a set position adds to the checksum of its segment, modulo 2^32. */
export function positionChecksum(position: number): number {
  return mix32(position + 0x9e3779b9)
}

/**
 * Hashes texts to 64 bits in two lanes, seeded by the cluster's name: clients cannot choose topics that collide in every
 * cluster alike. Two UTF-16 units are taken per step; the lanes differ in multipliers and rotations and meet at the end.
 */
export class TopicHasher {
  readonly #seedLow: number
  readonly #seedHigh: number
  /** The lanes of the text hashed last, as signed 32-bit integers. */
  low = 0
  high = 0

  constructor(cluster: string) {
    this.#seedLow = 0x243f6a88
    this.#seedHigh = 0x13198a2e
    this.hash(cluster)
    this.#seedLow = this.low
    this.#seedHigh = this.high
  }

  /** Sets `low` and `high`. */
  hash(text: string): void {
    const { length } = text
    let a = this.#seedLow
    let b = this.#seedHigh
    let i = 0
    for (; i + 1 < length; i += 2) {
      const two = text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16)
      a = Math.imul(a ^ two, 0x9e3779b1)
      a = (a << 13) | (a >>> 19)
      b = Math.imul(b ^ two, 0x85ebca77)
      b = (b << 17) | (b >>> 15)
    }
    if (i < length) {
      const one = text.charCodeAt(i)
      a = Math.imul(a ^ one, 0x9e3779b1)
      b = Math.imul(b ^ one, 0x85ebca77)
    }
    a ^= length
    a = Math.imul(a ^ (a >>> 16) ^ (b << 7), 0x85ebca6b)
    b = Math.imul(b ^ (b >>> 15) ^ length, 0xc2b2ae35)
    a = mix32(a ^ (b >>> 13))
    b = mix32(b ^ a)
    this.low = a
    this.high = b
  }
}

/** All positions of a filter lie in one block of so many: a look-up touches one page of memory, not seven. */
export const BLOCK_POSITIONS = 1024
/** Bits that choose one of them. */
const OFFSET_BITS = 10

/** The third lane, for the offsets the other two have no bits left for. */
export function thirdLane(low: number, high: number): number {
  const mixed = Math.imul(low ^ 0x27d4eb2f, 0x9e3779b1) ^ Math.imul(high, 0x85ebca77)
  return mixed ^ (mixed >>> 15)
}

/**
 * Puts the positions of a filter, of `mask` + 1 (a power of two), into `into`. `low` chooses the block and the first
 * position in it, `high` the next three, the third lane the last three. `BitPlane.match` does the same without an array.
 */
export function positionsOf(low: number, high: number, mask: number, into: Uint32Array): void {
  const offset = BLOCK_POSITIONS - 1
  const block = low & mask & ~offset
  const third = thirdLane(low, high)
  into[0] = block | (low & offset)
  into[1] = block | (high & offset)
  into[2] = block | ((high >>> OFFSET_BITS) & offset)
  into[3] = block | ((high >>> (2 * OFFSET_BITS)) & offset)
  into[4] = block | (third & offset)
  into[5] = block | ((third >>> OFFSET_BITS) & offset)
  into[6] = block | ((third >>> (2 * OFFSET_BITS)) & offset)
}

/** Sum of these over a node's wildcards and groups is their checksum; `members` is 1 for an ordinary wildcard. */
export function patternChecksum(hasher: TopicHasher, group: string, filter: string, members: number): number {
  hasher.hash(`${group}/${filter}`)
  return mix32(hasher.low + Math.imul(hasher.high, members))
}
