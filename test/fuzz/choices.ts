import { SeededRandom } from '../../sim/ports/seeded-random.ts'

/** Random decisions that are a function of a seed. */
export class Choices {
  readonly #random: SeededRandom

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
  }

  /** An integer from 0 to `bound - 1`; 0 when the bound is 0. */
  below(bound: number): number {
    return Math.floor(this.#random.fraction() * bound)
  }

  chance(probability: number): boolean {
    return this.#random.fraction() < probability
  }

  pick<T>(list: readonly [T, ...T[]]): T {
    return list[this.below(list.length)] as T
  }

  bytes(count: number): Buffer {
    return Buffer.from(this.#random.bytes(count))
  }
}
