import type { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'

/** A filter with wildcards, or a shared subscription, and how many members it has on one node. */
export interface Pattern {
  /** Empty for an ordinary filter. */
  readonly group: string
  readonly filter: string
  /** 0 when it is gone; at most 1 for an ordinary filter. */
  readonly members: number
}

/** Upper bound of what `encodePattern` writes. */
export function patternBytesMax({ group, filter }: Pattern): number {
  return 4 + 2 + 2 + 3 * (group.length + filter.length)
}

export function encodePattern(writer: ByteWriter, { group, filter, members }: Pattern): void {
  writer.uint32(members)
  writer.text(group)
  writer.text(filter)
}

/** Patterns behind their number. Undefined when one is not a pattern; what is missing the reader tells. */
export function decodePatterns(reader: ByteReader): readonly Pattern[] | undefined {
  const count = reader.uint32()
  const patterns: Pattern[] = []
  for (let i = 0; i < count && !reader.failed; i++) {
    const members = reader.uint32()
    const group = reader.text()
    const filter = reader.text()
    if (filter === '' || group.includes('/') || (group === '' && members > 1)) return undefined
    patterns.push({ group, filter, members })
  }
  return patterns
}
