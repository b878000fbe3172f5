import type { TopicHasher } from '../src/core/interest-hash.ts'
import { CountingBloom } from './counting-bloom.ts'

/** Filters put in per turn of the event loop: two or three milliseconds. */
const FILTERS_PER_TURN = 5_000

interface Change {
  readonly low: number
  readonly high: number
  readonly isAdd: boolean
}

/**
 * A bloom filter of another size being built while the present one stays in use.
 *
 * Takes the filters of the moment it began a portion at a time, then what changed meanwhile, in order.
 */
export class BloomRebuild {
  readonly bloom: CountingBloom
  readonly #hasher: TopicHasher
  readonly #filters: readonly string[]
  readonly #changes: Change[] = []
  #next = 0

  constructor(bits: number, filters: readonly string[], hasher: TopicHasher) {
    this.bloom = new CountingBloom(bits)
    this.#filters = filters
    this.#hasher = hasher
  }

  /** A change of the filters it began with. */
  changed(low: number, high: number, isAdd: boolean): void {
    this.#changes.push({ low, high, isAdd })
  }

  /** Does one turn's work. True when `bloom` holds everything. */
  step(): boolean {
    const end = Math.min(this.#filters.length, this.#next + FILTERS_PER_TURN)
    for (; this.#next < end; this.#next++) {
      this.#hasher.hash(this.#filters[this.#next] as string)
      this.bloom.add(this.#hasher.low, this.#hasher.high)
    }
    if (this.#next < this.#filters.length) return false
    for (const { low, high, isAdd } of this.#changes) {
      if (isAdd) this.bloom.add(low, high)
      else this.bloom.remove(low, high)
    }
    return true
  }
}
