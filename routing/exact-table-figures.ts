import { BLOCK_POSITIONS, HASH_POSITIONS } from '../src/core/interest-hash.ts'
import type { ExactTable } from '../src/core/ports/routing-control.ts'

/** Blocks looked at, spread evenly; a table of no more is looked at wholly. */
const SAMPLED_BLOCKS_MAX = 256

/**
 * How full a bloom filter is and what follows from it. `words` has a bit per node for each position; `bit` is the node's.
 *
 * Positions of one filter lie in one block, so blocks differ in how full they are, and the share of wrong answers is the
 * mean over the blocks, not that of a block of mean fullness.
 */
export function exactTableFigures(words: Uint32Array, bit: number, bits: number): ExactTable {
  const blocks = 2 ** bits / BLOCK_POSITIONS
  const step = Math.max(1, Math.floor(blocks / SAMPLED_BLOCKS_MAX))
  let sampled = 0
  let set = 0
  let filters = 0
  let wrong = 0
  for (let block = 0; block < blocks; block += step) {
    const held = setInBlock(words, bit, block * BLOCK_POSITIONS)
    const share = held / BLOCK_POSITIONS
    sampled++
    set += held
    wrong += share ** HASH_POSITIONS
    // A block with every position set could hold any number: as many as leave one.
    const free = Math.max(1, BLOCK_POSITIONS - held) / BLOCK_POSITIONS
    filters += Math.log(free) / (HASH_POSITIONS * Math.log(1 - 1 / BLOCK_POSITIONS))
  }
  const scale = blocks / sampled
  return {
    bits,
    setPositions: Math.round(set * scale),
    estimatedFilters: Math.round(filters * scale),
    falsePositiveRate: wrong / sampled,
  }
}

function setInBlock(words: Uint32Array, bit: number, from: number): number {
  let held = 0
  for (let at = from; at < from + BLOCK_POSITIONS; at++) if (((words[at] as number) & bit) !== 0) held++
  return held
}
