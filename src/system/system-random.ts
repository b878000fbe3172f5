import { randomFillSync } from 'node:crypto'
import type { Random } from '../core/ports/random.ts'

/** Asked of the operating system at a time: single requests cost far more than their bytes. */
const POOL_BYTES = 16 * 1024

/** Randomness from the operating system. Every byte is handed out once. */
export class SystemRandom implements Random {
  readonly #pool = Buffer.allocUnsafeSlow(POOL_BYTES)
  #used = POOL_BYTES

  uint32(): number {
    return this.#pool.readUInt32LE(this.#take(4))
  }

  fraction(): number {
    return this.uint32() / 2 ** 32
  }

  bytes(count: number): Uint8Array {
    if (count > POOL_BYTES) return randomFillSync(new Uint8Array(count))
    const at = this.#take(count)
    return Uint8Array.prototype.slice.call(this.#pool, at, at + count)
  }

  /** Offset of `count` bytes that nobody has had. */
  #take(count: number): number {
    if (this.#used + count > POOL_BYTES) {
      randomFillSync(this.#pool)
      this.#used = 0
    }
    const at = this.#used
    this.#used += count
    return at
  }
}
