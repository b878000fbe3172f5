import { BitPlane } from './bit-plane.ts'

/**
 * How many times larger than a filter its plane may be, as a power of two. A filter in a larger plane costs a write per
 * copy and change, a plane more costs every match its lookups.
 */
const WIDENING_BITS_MAX = 2

/** Where a node's filter lies. */
export interface PlaneSlot<N> {
  readonly plane: BitPlane<N>
  readonly slot: number
}

/** The planes there are: opened when a filter fits into none, given up with their last filter. */
export class BitPlanes<N> {
  readonly #planes: BitPlane<N>[] = []

  get all(): readonly BitPlane<N>[] {
    return this.#planes
  }

  /** A slot in the narrowest plane that will do. What its positions hold is undefined. */
  take(bits: number, holder: N): PlaneSlot<N> {
    let plane: BitPlane<N> | undefined
    for (const candidate of this.#planes) {
      if (candidate.bits < bits || candidate.bits > bits + WIDENING_BITS_MAX || candidate.freeSlot === -1)
        continue
      if (plane === undefined || candidate.bits < plane.bits) plane = candidate
    }
    if (plane === undefined) {
      plane = new BitPlane(bits)
      this.#planes.push(plane)
    }
    const slot = plane.freeSlot
    plane.slots[slot] = holder
    return { plane, slot }
  }

  release({ plane, slot }: PlaneSlot<N>): void {
    plane.slots[slot] = undefined
    plane.active &= ~(1 << slot)
    if (plane.isEmpty) this.#planes.splice(this.#planes.indexOf(plane), 1)
  }
}
