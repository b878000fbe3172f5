/**
 * How large a node makes the bloom filter of its exact filters: `bloom-filters`' formula, rounded up to a power of two.
 *
 * The only place that asks the vendor. At its fullest a filter answers wrongly for about `TARGET_ERROR_RATE` of the topics
 * nobody there subscribed to, with the fixed number of positions a little more.
 */
import { optimalFilterSize } from 'bloom-filters/dist/formulas.js'
import { BLOOM_BITS_MAX, BLOOM_BITS_MIN } from '../src/core/interest-hash.ts'

/** 11.9 positions per filter at least, 23.8 at most: 5,000,000 filters fit into 2^26 positions. */
const TARGET_ERROR_RATE = 1 / 300
/** A filter this many times too large is made smaller. */
const SHRINK_FACTOR = 8

/** k of the smallest filter of 2^k positions that takes `count` filters; the largest there is when none does. */
export function bloomBitsFor(count: number): number {
  const positions = optimalFilterSize(count, TARGET_ERROR_RATE)
  return Math.min(BLOOM_BITS_MAX, Math.max(BLOOM_BITS_MIN, Math.ceil(Math.log2(Math.max(1, positions)))))
}

/** k the filter should get instead of `bits`, now that it holds `count`; `bits` while it will do. */
export function bloomBitsAfter(bits: number, count: number): number {
  const wanted = bloomBitsFor(count)
  return wanted > bits || bloomBitsFor(count * SHRINK_FACTOR) < bits ? wanted : bits
}
