import type { Incarnation } from '../src/core/ids.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { INTEREST_WIRE_VERSION } from './delta-codec.ts'

/** Filters of one snapshot part take at most about this many bytes, unless a single filter is larger. */
const PART_BYTES_MAX = 60 * 1024

/** A node's interest in four numbers: how many filters, and the sum of their `filterHash` modulo 2^32, at `sequence`. */
export interface InterestSummary {
  readonly incarnation: Incarnation
  readonly sequence: number
  readonly count: number
  readonly checksum: number
}

/** What travels on the interest channel. The sender is known from the link. */
export type InterestFrame =
  | ({ readonly type: 'digest' } & InterestSummary)
  | { readonly type: 'pull' }
  | ({ readonly type: 'snapshot-begin' } & InterestSummary)
  | {
      readonly type: 'snapshot-part'
      readonly filters: readonly string[]
      /** Sum of the filters' `filterHash`, modulo 2^32. */
      readonly checksum: number
    }
  | { readonly type: 'snapshot-end' }
  /** The sender holds the receiver's interest, of this incarnation, as of `sequence`. */
  | { readonly type: 'confirm'; readonly incarnation: Incarnation; readonly sequence: number }

const typeBytes = {
  digest: 1,
  pull: 2,
  'snapshot-begin': 3,
  'snapshot-part': 4,
  'snapshot-end': 5,
  confirm: 6,
} as const

function begin(type: InterestFrame['type']): ByteWriter {
  const writer = new ByteWriter()
  writer.uint8(INTEREST_WIRE_VERSION)
  writer.uint8(typeBytes[type])
  return writer
}

export function encodeSummary(type: 'digest' | 'snapshot-begin', summary: InterestSummary): Uint8Array {
  const writer = begin(type)
  writer.uint64(summary.incarnation)
  writer.uint64(summary.sequence)
  writer.uint32(summary.count)
  writer.uint32(summary.checksum)
  return writer.bytes()
}

export function encodeBare(type: 'pull' | 'snapshot-end'): Uint8Array {
  return begin(type).bytes()
}

export function encodeConfirm(incarnation: Incarnation, sequence: number): Uint8Array {
  const writer = begin('confirm')
  writer.uint64(incarnation)
  writer.uint64(sequence)
  return writer.bytes()
}

/** Encodes filters from index `from` on, as many as one part takes, and says where the next part begins. */
export function encodePart(filters: readonly string[], from: number): { frame: Uint8Array; next: number } {
  const writer = begin('snapshot-part')
  const countAt = writer.length
  writer.uint32(0)
  let next = from
  for (; next < filters.length; next++) {
    const before = writer.length
    writer.text(filters[next] as string)
    if (writer.length <= PART_BYTES_MAX || next === from) continue
    writer.truncate(before)
    break
  }
  writer.patchUint32(countAt, next - from)
  return { frame: writer.bytes(), next }
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
    case typeBytes.digest:
      return { type: 'digest', ...decodeSummary(reader) }
    case typeBytes.pull:
      return { type: 'pull' }
    case typeBytes['snapshot-begin']:
      return { type: 'snapshot-begin', ...decodeSummary(reader) }
    case typeBytes['snapshot-part']:
      return decodePart(reader)
    case typeBytes['snapshot-end']:
      return { type: 'snapshot-end' }
    case typeBytes.confirm:
      return { type: 'confirm', incarnation: reader.uint64(), sequence: reader.uint64() }
    default:
      return undefined
  }
}

function decodeSummary(reader: ByteReader): InterestSummary {
  return {
    incarnation: reader.uint64(),
    sequence: reader.uint64(),
    count: reader.uint32(),
    checksum: reader.uint32(),
  }
}

function decodePart(reader: ByteReader): InterestFrame | undefined {
  const count = reader.uint32()
  const filters: string[] = []
  let checksum = 0
  for (let i = 0; i < count; i++) {
    const filter = reader.text()
    if (reader.failed || filter === '') return undefined
    filters.push(filter)
    checksum = (checksum + reader.lastTextHash) >>> 0
  }
  return { type: 'snapshot-part', filters, checksum }
}
