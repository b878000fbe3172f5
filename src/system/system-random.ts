import { randomBytes, randomInt } from 'node:crypto'
import type { Random } from '../core/ports/random.ts'

/** Randomness from the operating system. */
export class SystemRandom implements Random {
  uint32(): number {
    return randomInt(2 ** 32)
  }

  fraction(): number {
    return randomInt(2 ** 47) / 2 ** 47
  }

  bytes(count: number): Uint8Array {
    return randomBytes(count)
  }
}
