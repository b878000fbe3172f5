import { crc32c } from '@node-rs/crc32'

/*
 * LevelDB's log format (its doc/log_format.md): blocks of 32 KiB; in them records of checksum (4 bytes, little-endian, a masked
 * CRC-32C of type and payload), length (2), type (1) and payload; the last bytes of a block that hold no header are padding.
 * What is written at once is one `full` record, or a `first`, any number of `middle` and a `last`.
 */
const BLOCK_BYTES = 32 * 1024
const HEADER_BYTES = 7
/** A disk writes no less at once, so what a crash left unwritten begins at a multiple of it. */
const SECTOR_BYTES = 512
const types = { full: 1, first: 2, middle: 3, last: 4 } as const

/** What a log holds up to its end, or to where it breaks off. */
export interface LogContent {
  /** What was written at once, each in its fragments, as views into the log. */
  readonly writes: readonly (readonly Uint8Array[])[]
  /** Where the first thing begins that is not a whole write; undefined when there is none. */
  readonly brokenAt: number | undefined
  /** Whether that can be the trace of a crash while the end of the log was being written. */
  readonly isTorn: boolean
}

/** Reads a log as far as it is sound. */
export function parseLog(log: Buffer): LogContent {
  const writes: Uint8Array[][] = []
  let fragments: Uint8Array[] = []
  let writeStart: number | undefined
  let at = 0
  while (at < log.length) {
    const blockEnd = Math.min(log.length, at - (at % BLOCK_BYTES) + BLOCK_BYTES)
    if (blockEnd - at < HEADER_BYTES && blockEnd % BLOCK_BYTES === 0) {
      at = blockEnd // padding, which nobody reads
      continue
    }
    const end = recordEnd(log, at, blockEnd)
    if (end === undefined) return { writes, brokenAt: at, isTorn: isTorn(log, at, blockEnd) }
    const type = log[at + 6]
    const isStart = type === types.full || type === types.first
    if (isStart !== (writeStart === undefined)) return { writes, brokenAt: writeStart ?? at, isTorn: false }
    writeStart ??= at
    fragments.push(log.subarray(at + HEADER_BYTES, end))
    if (type === types.full || type === types.last) {
      writes.push(fragments)
      fragments = []
      writeStart = undefined
    }
    at = end
  }
  return { writes, brokenAt: writeStart, isTorn: true }
}

/** Where a record ends; undefined when there is no sound one. */
function recordEnd(log: Buffer, at: number, blockEnd: number): number | undefined {
  if (at + HEADER_BYTES > blockEnd) return undefined
  const end = at + HEADER_BYTES + log.readUInt16LE(at + 4)
  const type = log.readUInt8(at + 6)
  if (end > blockEnd || type < types.full || type > types.last) return undefined
  return unmasked(log.readUInt32LE(at)) === crc32c(log.subarray(at + 6, end)) ? end : undefined
}

/** LevelDB stores a CRC so that data with CRCs in it can have one. */
function unmasked(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0
  return ((rotated >>> 17) | (rotated << 15)) >>> 0
}

/** Whether the unsound record at `at` can be what a crash left of the last write. */
function isTorn(log: Buffer, at: number, blockEnd: number): boolean {
  let zerosFrom = log.length
  while (zerosFrom > at && log[zerosFrom - 1] === 0) zerosFrom--
  if (zerosFrom === at) return true
  if (at + HEADER_BYTES > blockEnd) return true // only at the end of the log: elsewhere it is padding
  const unwrittenFrom = Math.ceil(zerosFrom / SECTOR_BYTES) * SECTOR_BYTES
  if (unwrittenFrom < at + HEADER_BYTES) return true
  const end = at + HEADER_BYTES + log.readUInt16LE(at + 4)
  const type = log.readUInt8(at + 6)
  const fits = end <= at - (at % BLOCK_BYTES) + BLOCK_BYTES
  if (!fits || type < types.full || type > types.last) return false
  if (unwrittenFrom < Math.min(end, log.length)) return true
  // It ends behind the end of the log: cut short, unless only its length is wrong.
  return end > log.length && !hasSoundPrefix(log, at)
}

/** Whether the record at `at`, in the last block, would be sound with another length. */
function hasSoundPrefix(log: Buffer, at: number): boolean {
  const expected = unmasked(log.readUInt32LE(at))
  let crc = crc32c(log.subarray(at + 6, at + HEADER_BYTES))
  for (let end = at + HEADER_BYTES; ; end++) {
    if (crc === expected) return true
    if (end >= log.length) return false
    crc = crc32c(log.subarray(end, end + 1), crc)
  }
}
