import { bloomBitsFor } from '../../gossip/bloom-sizing.ts'
import { BLOCK_POSITIONS, HASH_POSITIONS } from '../../src/core/interest-hash.ts'

/** With so many filters every position of a block is set. */
const FULL_BLOCK = 4_000

/**
 * Expected share of topics a bloom filter of `filters` is wrong about, at the size production gives it. Filters fall into blocks
 * like rain: the share is the mean over blocks of how full they are, to the power of the positions.
 */
export function expectedErrorShare(filters: number): number {
  const perBlock = (filters * BLOCK_POSITIONS) / 2 ** bloomBitsFor(filters)
  if (perBlock > FULL_BLOCK) return 1
  // Poisson, from where its terms begin to count to where they no longer do.
  const spread = 12 * Math.sqrt(perBlock) + 12
  const from = Math.max(0, Math.floor(perBlock - spread))
  const to = Math.ceil(perBlock + spread)
  let share = 0
  let logFactorial = 0
  for (let i = 2; i <= from; i++) logFactorial += Math.log(i)
  for (let count = from; count <= to; count++) {
    if (count > from && count > 1) logFactorial += Math.log(count)
    const probability = Math.exp(count * Math.log(perBlock || Number.MIN_VALUE) - perBlock - logFactorial)
    const full = -Math.expm1(HASH_POSITIONS * count * Math.log1p(-1 / BLOCK_POSITIONS))
    share += probability * full ** HASH_POSITIONS
  }
  return share
}
