import { limits } from '../src/core/limits.ts'
import type { InterestRecord } from '../src/core/ports/interest-records.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { decodeDelta } from './delta-codec.ts'
import type { InterestDelta } from './delta-codec.ts'
import { decodeInterestFrame, encodeDigest } from './interest-frame-codec.ts'
import type { InterestSummary } from './interest-frame-codec.ts'

/** Names of the records of a life's interest (WIRE.md, "Records"). */
export const BASE_NAME = 'base'
export const LOG_PREFIX = 'd/'
export const SEGMENT_PREFIX = 's/'
export const PATTERN_PREFIX = 'p/'

/** Index and number of parts. */
const PART_HEADER_BYTES = 2
const PARTS_MAX = 255

/** What the other records of a snapshot amount to. */
export interface FeedBase {
  /** Changes after its sequence are in the log. */
  readonly summary: InterestSummary
  /** Which set of patterns belongs to it, and of how many values that consists. */
  readonly patternSet: number
  readonly patternValues: number
}

export function logName(firstSequence: number): string {
  return `${LOG_PREFIX}${String(firstSequence).padStart(16, '0')}`
}

export function segmentName(generation: number, index: number): string {
  return `${SEGMENT_PREFIX}${generation}/${String(index).padStart(4, '0')}`
}

export function patternsName(set: number, value: number): string {
  return `${PATTERN_PREFIX}${set}/${String(value).padStart(6, '0')}`
}

/** The records of one value: as many as its length needs. */
export function splitValue(name: string, value: Uint8Array): InterestRecord[] {
  const room = limits.routeValueBytesMax - PART_HEADER_BYTES
  const count = Math.max(1, Math.ceil(value.length / room))
  if (count > PARTS_MAX) throw new Error(`a value of ${value.length} bytes, at most ${PARTS_MAX * room} fit`)
  return Array.from({ length: count }, (_, index) => {
    const part = value.subarray(index * room, (index + 1) * room)
    const bytes = new Uint8Array(PART_HEADER_BYTES + part.length)
    bytes[0] = index
    bytes[1] = count
    bytes.set(part, PART_HEADER_BYTES)
    return { name: `${name}/${String(index).padStart(3, '0')}`, value: bytes }
  })
}

/** The values of records in the order of their names, each with the name it was split under; incomplete ones are left out. */
export function joinRecords(
  records: readonly InterestRecord[],
): { readonly name: string; readonly value: Uint8Array }[] {
  const values: { name: string; value: Uint8Array }[] = []
  let parts: Uint8Array[] = []
  let current = ''
  for (const { name, value } of records) {
    const own = name.slice(0, name.lastIndexOf('/'))
    if (own !== current) parts = []
    current = own
    if (value[0] !== parts.length || value.length < PART_HEADER_BYTES) continue
    parts.push(value.subarray(PART_HEADER_BYTES))
    if (parts.length === value[1]) values.push({ name: own, value: concat(parts) })
  }
  return values
}

/** A value of the log: delta messages, each behind its length. */
export function encodeLog(messages: readonly Uint8Array[]): Uint8Array {
  const writer = new ByteWriter()
  for (const message of messages) {
    writer.uint32(message.length)
    writer.raw(message)
  }
  return writer.bytes()
}

/** Undefined when the value is malformed. */
export function decodeLog(value: Uint8Array): readonly InterestDelta[] | undefined {
  const reader = new ByteReader(value)
  const deltas: InterestDelta[] = []
  while (reader.remaining > 0 && !reader.failed) {
    const delta = decodeDelta(reader.raw(reader.uint32()))
    if (delta === undefined) return undefined
    deltas.push(delta)
  }
  return reader.failed ? undefined : deltas
}

export function encodeBase({ summary, patternSet, patternValues }: FeedBase): Uint8Array {
  const writer = new ByteWriter()
  writer.uint32(patternSet)
  writer.uint32(patternValues)
  writer.raw(encodeDigest(summary))
  return writer.bytes()
}

/** Undefined when the value is malformed. */
export function decodeBase(value: Uint8Array): FeedBase | undefined {
  const reader = new ByteReader(value)
  const patternSet = reader.uint32()
  const patternValues = reader.uint32()
  const frame = decodeInterestFrame(reader.raw(reader.remaining))
  return frame?.type === 'digest' ? { summary: frame, patternSet, patternValues } : undefined
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts
  if (parts.length === 1 && first !== undefined) return first
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
