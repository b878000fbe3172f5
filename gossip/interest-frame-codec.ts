import type { Incarnation, NodeId } from '../src/core/ids.ts'
import { BLOOM_BITS_MAX, BLOOM_BITS_MIN, SEGMENT_BITS, SEGMENT_POSITIONS } from '../src/core/interest-hash.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { decodeDelta, INTEREST_WIRE_VERSION } from './delta-codec.ts'
import type { InterestDelta } from './delta-codec.ts'
import { decodePatterns, encodePattern } from './pattern-codec.ts'
import type { Pattern } from './pattern-codec.ts'
import { decodeSegments, encodeSegment } from './segment-codec.ts'
import type { Segment } from './segment-codec.ts'

/** One part of a repair takes about this many bytes, unless a single pattern is larger. */
const PART_BYTES_MAX = 60 * 1024
const SEGMENT_BYTES_MAX = 5 + SEGMENT_POSITIONS / 8

/** A node's interest in few numbers, as of `sequence`. */
export interface InterestSummary {
  readonly incarnation: Incarnation
  readonly sequence: number
  /** Raised whenever the bloom filter is built anew; from 1. */
  readonly generation: number
  /** The bloom filter has 2^bits positions. */
  readonly bits: number
  readonly exactCount: number
  /** Sum of `positionChecksum` of the set positions, modulo 2^32. */
  readonly exactChecksum: number
  readonly patternCount: number
  /** Sum of `patternChecksum` of the patterns, modulo 2^32. */
  readonly patternChecksum: number
}

/** What the sender of a pull has of the receiver's interest; the receiver sends what differs. */
export interface InterestPull {
  /** 0 when it has no bloom filter to compare. */
  readonly generation: number
  readonly patternCount: number
  readonly patternChecksum: number
  /** By segment of that generation's bloom filter. */
  readonly checksums: Uint32Array
}

export interface RepairBegin extends InterestSummary {
  /** Segments that follow: all there are, or those that differ. */
  readonly segments: number
  /** All patterns follow, and take the place of those before. */
  readonly hasPatterns: boolean
}

/** What travels on the interest channel. The sender is known from the link. */
export type InterestFrame =
  | ({ readonly type: 'digest' } & InterestSummary)
  | ({ readonly type: 'pull' } & InterestPull)
  | ({ readonly type: 'repair-begin' } & RepairBegin)
  | { readonly type: 'segments'; readonly segments: readonly Segment[] }
  | { readonly type: 'patterns'; readonly patterns: readonly Pattern[] }
  | { readonly type: 'repair-end' }
  /** The sender has applied the receiver's interest, of this incarnation, up to `sequence`. */
  | { readonly type: 'applied'; readonly incarnation: Incarnation; readonly sequence: number }
  | { readonly type: 'delta'; readonly delta: InterestDelta }
  /** The frame within is about the last interest of a node that is gone, instead of the sender's (or, a pull, the receiver's). */
  | { readonly type: 'about'; readonly nodeId: NodeId; readonly frame: RepairFrame }

/** What two nodes need to bring one's knowledge of an interest to the other. */
export type RepairFrame = Exclude<InterestFrame, { type: 'applied' | 'delta' | 'about' }>

const typeBytes = {
  digest: 1,
  pull: 2,
  'repair-begin': 3,
  segments: 4,
  patterns: 5,
  'repair-end': 6,
  applied: 7,
  delta: 8,
  about: 9,
} as const

function begin(type: InterestFrame['type']): ByteWriter {
  const writer = new ByteWriter()
  writer.uint8(INTEREST_WIRE_VERSION)
  writer.uint8(typeBytes[type])
  return writer
}

function writeSummary(writer: ByteWriter, summary: InterestSummary): void {
  writer.uint64(summary.incarnation)
  writer.uint64(summary.sequence)
  writer.uint32(summary.generation)
  writer.uint8(summary.bits)
  writer.uint32(summary.exactCount)
  writer.uint32(summary.exactChecksum)
  writer.uint32(summary.patternCount)
  writer.uint32(summary.patternChecksum)
}

export function encodeDigest(summary: InterestSummary): Uint8Array {
  const writer = begin('digest')
  writeSummary(writer, summary)
  return writer.bytes()
}

export function encodePull(pull: InterestPull): Uint8Array {
  const writer = begin('pull')
  writer.uint32(pull.generation)
  writer.uint32(pull.patternCount)
  writer.uint32(pull.patternChecksum)
  writer.uint32(pull.checksums.length)
  for (const checksum of pull.checksums) writer.uint32(checksum)
  return writer.bytes()
}

export function encodeRepairBegin(repair: RepairBegin): Uint8Array {
  const writer = begin('repair-begin')
  writeSummary(writer, repair)
  writer.uint32(repair.segments)
  writer.uint8(repair.hasPatterns ? 1 : 0)
  return writer.bytes()
}

export function encodeRepairEnd(): Uint8Array {
  return begin('repair-end').bytes()
}

/** Encodes from index `from` on, as many segments as one part takes, and says where the next part begins. */
export function encodeSegments(
  segments: readonly Segment[],
  from: number,
): { frame: Uint8Array; next: number } {
  const writer = begin('segments')
  const countAt = writer.length
  writer.uint32(0)
  let next = from
  while (next < segments.length && writer.length + SEGMENT_BYTES_MAX <= PART_BYTES_MAX) {
    encodeSegment(writer, segments[next++] as Segment)
  }
  writer.patchUint32(countAt, next - from)
  return { frame: writer.bytes(), next }
}

/** As `encodeSegments`. */
export function encodePatterns(
  patterns: readonly Pattern[],
  from: number,
): { frame: Uint8Array; next: number } {
  const writer = begin('patterns')
  const countAt = writer.length
  writer.uint32(0)
  let next = from
  while (next < patterns.length && writer.length < PART_BYTES_MAX)
    encodePattern(writer, patterns[next++] as Pattern)
  writer.patchUint32(countAt, next - from)
  return { frame: writer.bytes(), next }
}

export function encodeApplied(incarnation: Incarnation, sequence: number): Uint8Array {
  const writer = begin('applied')
  writer.uint64(incarnation)
  writer.uint64(sequence)
  return writer.bytes()
}

/** A delta message, for a link instead of gossip. */
export function encodeStreamedDelta(message: Uint8Array): Uint8Array {
  const writer = begin('delta')
  writer.raw(message)
  return writer.bytes()
}

/** Another frame, made to be about a node that is gone. */
export function encodeAbout(nodeId: NodeId, frame: Uint8Array): Uint8Array {
  const writer = begin('about')
  writer.shortText(nodeId)
  writer.raw(frame)
  return writer.bytes()
}

/** Undefined when the frame is not well formed, or of a type that is about no other node. */
export function decodeRepairFrame(bytes: Uint8Array): RepairFrame | undefined {
  if ((bytes[1] ?? 0) > typeBytes['repair-end']) return undefined // never one in another in another …
  const frame = decodeInterestFrame(bytes)
  return frame?.type === 'applied' || frame?.type === 'delta' || frame?.type === 'about' ? undefined : frame
}

/** Undefined when the frame is not well formed. */
export function decodeInterestFrame(frame: Uint8Array): InterestFrame | undefined {
  const reader = new ByteReader(frame)
  if (reader.uint8() !== INTEREST_WIRE_VERSION) return undefined
  const decoded = decodeBody(reader, reader.uint8())
  return reader.failed || reader.remaining > 0 ? undefined : decoded
}

function decodeBody(reader: ByteReader, type: number): InterestFrame | undefined {
  switch (type) {
    case typeBytes.digest: {
      const summary = readSummary(reader)
      return summary && { type: 'digest', ...summary }
    }
    case typeBytes.pull:
      return decodePull(reader)
    case typeBytes['repair-begin']: {
      const summary = readSummary(reader)
      const segments = reader.uint32()
      const patterns = reader.uint8()
      if (summary === undefined || patterns > 1 || segments > 2 ** (summary.bits - SEGMENT_BITS))
        return undefined
      return { type: 'repair-begin', ...summary, segments, hasPatterns: patterns === 1 }
    }
    case typeBytes.segments: {
      const segments = decodeSegments(reader)
      return segments && { type: 'segments', segments }
    }
    case typeBytes.patterns: {
      const patterns = decodePatterns(reader)
      return patterns && { type: 'patterns', patterns }
    }
    case typeBytes['repair-end']:
      return { type: 'repair-end' }
    case typeBytes.applied:
      return { type: 'applied', incarnation: reader.uint64(), sequence: reader.uint64() }
    case typeBytes.delta: {
      const delta = decodeDelta(reader.raw(reader.remaining))
      return delta && { type: 'delta', delta }
    }
    case typeBytes.about: {
      const nodeId = reader.shortText()
      const frame = decodeRepairFrame(reader.raw(reader.remaining))
      return frame && nodeId !== '' ? { type: 'about', nodeId, frame } : undefined
    }
    default:
      return undefined
  }
}

function decodePull(reader: ByteReader): InterestFrame | undefined {
  const generation = reader.uint32()
  const patternCount = reader.uint32()
  const patternChecksum = reader.uint32()
  const segments = reader.uint32()
  if (segments * 4 !== reader.remaining || segments > 2 ** (BLOOM_BITS_MAX - SEGMENT_BITS)) return undefined
  const checksums = new Uint32Array(segments)
  for (let i = 0; i < segments; i++) checksums[i] = reader.uint32()
  return { type: 'pull', generation, patternCount, patternChecksum, checksums }
}

function readSummary(reader: ByteReader): InterestSummary | undefined {
  const summary = {
    incarnation: reader.uint64(),
    sequence: reader.uint64(),
    generation: reader.uint32(),
    bits: reader.uint8(),
    exactCount: reader.uint32(),
    exactChecksum: reader.uint32(),
    patternCount: reader.uint32(),
    patternChecksum: reader.uint32(),
  }
  const { generation, bits } = summary
  return generation < 1 || bits < BLOOM_BITS_MIN || bits > BLOOM_BITS_MAX ? undefined : summary
}
