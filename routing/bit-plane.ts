/**
 * Bloom filters of up to 32 nodes, turned on their side: a word per position, in it a bit per node.
 *
 * A topic's positions are looked up once for all of them: the words ANDed are the nodes that may want it. A plane has one
 * size; a smaller filter is repeated in it until it fills it. Invariant: bits of slots not `active` say nothing.
 */
import { thirdLane } from '../src/core/interest-hash.ts'

export const PLANE_SLOTS = 32

export class BitPlane<N> {
  /** It has 2^bits positions. */
  readonly bits: number
  readonly words: Uint32Array
  /** Who holds each slot. */
  readonly slots: (N | undefined)[] = new Array<N | undefined>(PLANE_SLOTS).fill(undefined)
  /** Bits of the slots whose filters are complete. */
  active = 0

  constructor(bits: number) {
    this.bits = bits
    this.words = new Uint32Array(2 ** bits)
  }

  /** A slot nobody holds; -1 when there is none. */
  get freeSlot(): number {
    return this.slots.indexOf(undefined)
  }

  get isEmpty(): boolean {
    return this.slots.every(holder => holder === undefined)
  }

  /** Bits of the active slots whose filters have all positions of this hash. */
  match(low: number, high: number): number {
    if (this.active === 0) return 0
    const { words } = this
    const block = low & (words.length - 1) & ~1023
    // As `positionsOf`. Loads that do not wait for one another cost less than a branch after each.
    const found =
      this.active &
      (words[block | (low & 1023)] as number) &
      (words[block | (high & 1023)] as number) &
      (words[block | ((high >>> 10) & 1023)] as number) &
      (words[block | ((high >>> 20) & 1023)] as number)
    if (found === 0) return 0
    const third = thirdLane(low, high)
    return (
      found &
      (words[block | (third & 1023)] as number) &
      (words[block | ((third >>> 10) & 1023)] as number) &
      (words[block | ((third >>> 20) & 1023)] as number)
    )
  }
}
