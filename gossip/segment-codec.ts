import { BLOOM_BITS_MAX, SEGMENT_BITS, SEGMENT_POSITIONS } from '../src/core/interest-hash.ts'
import type { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'

const SEGMENT_WORDS = SEGMENT_POSITIONS / 32
const SEGMENTS_MAX = 2 ** (BLOOM_BITS_MAX - SEGMENT_BITS)
const BITMAP_BYTES = SEGMENT_POSITIONS / 8
/** Followed by the number of set positions and each of them, in 2 bytes. */
const AS_POSITIONS = 0
/** Followed by all positions, a bit each, in words of 32 bits. */
const AS_BITMAP = 1

/** The positions of one segment of a bloom filter: 1,024 words of 32 bits, lowest first. */
export interface Segment {
  readonly index: number
  readonly words: Uint32Array
}

/** In the shorter of its two forms. */
export function encodeSegment(writer: ByteWriter, { index, words }: Segment): void {
  writer.uint32(index)
  const positions: number[] = []
  for (let i = 0; i < SEGMENT_WORDS && 2 + 2 * positions.length < BITMAP_BYTES; i++) {
    for (let word = words[i] as number; word !== 0; word &= word - 1) {
      positions.push(i * 32 + 31 - Math.clz32(word & -word))
    }
  }
  if (2 + 2 * positions.length < BITMAP_BYTES) {
    writer.uint8(AS_POSITIONS)
    writer.uint16(positions.length)
    for (const position of positions) writer.uint16(position)
  } else {
    writer.uint8(AS_BITMAP)
    for (let i = 0; i < SEGMENT_WORDS; i++) writer.uint32(words[i] as number)
  }
}

/** Segments behind their number. Undefined when one is malformed; what is missing the reader tells. */
export function decodeSegments(reader: ByteReader): readonly Segment[] | undefined {
  const count = reader.uint32()
  if (count > SEGMENTS_MAX) return undefined
  const segments: Segment[] = []
  for (let i = 0; i < count && !reader.failed; i++) {
    const index = reader.uint32()
    const form = reader.uint8()
    const words = new Uint32Array(SEGMENT_WORDS)
    if (form === AS_POSITIONS) {
      for (let left = reader.uint16(); left > 0 && !reader.failed; left--) {
        const position = reader.uint16()
        if (position >= SEGMENT_POSITIONS) return undefined
        words[position >>> 5] = (words[position >>> 5] as number) | (1 << (position & 31))
      }
    } else if (form === AS_BITMAP) {
      for (let j = 0; j < SEGMENT_WORDS && !reader.failed; j++) words[j] = reader.uint32()
    } else {
      return undefined
    }
    segments.push({ index, words })
  }
  return segments
}
