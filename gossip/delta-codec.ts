import { limits } from '../src/core/limits.ts'
import type { Incarnation, NodeId } from '../src/core/ids.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { decodePatterns, encodePattern, patternBytesMax } from './pattern-codec.ts'
import type { Pattern } from './pattern-codec.ts'

/** Changes whenever anything in WIRE.md changes incompatibly. */
export const INTEREST_WIRE_VERSION = 2

const DELTA_TYPE = 1
/** First byte of an exact change: this bit says that it is a removal, the lower seven which positions fell to zero. */
const REMOVAL = 0x80
export const EXACT_CHANGE_BYTES = 9

/** Changes of exact filters in the order made, as they travel. */
export class ExactChanges {
  readonly #writer = new ByteWriter()

  get count(): number {
    return this.#writer.length / EXACT_CHANGE_BYTES
  }

  added(low: number, high: number): void {
    this.#put(0, low, high)
  }

  removed(low: number, high: number, fallen: number): void {
    this.#put(REMOVAL | fallen, low, high)
  }

  bytes(from: number, to: number): Uint8Array {
    return this.#writer.bytes().subarray(from * EXACT_CHANGE_BYTES, to * EXACT_CHANGE_BYTES)
  }

  #put(operation: number, low: number, high: number): void {
    this.#writer.uint8(operation)
    this.#writer.uint32(low)
    this.#writer.uint32(high)
  }
}

/** Who is told of exact changes; see `RemoteNodeInterest`. */
export interface ExactChangeTarget {
  addExact(low: number, high: number): void
  removeExact(low: number, high: number, fallen: number): void
}

/** Applies encoded exact changes in order, and answers by how much the number of filters changed. */
export function applyExactChanges(bytes: Uint8Array, target: ExactChangeTarget): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let difference = 0
  for (let at = 0; at < bytes.length; at += EXACT_CHANGE_BYTES) {
    const operation = bytes[at] as number
    const low = view.getInt32(at + 1)
    const high = view.getInt32(at + 5)
    if (operation < REMOVAL) {
      target.addExact(low, high)
      difference++
    } else {
      target.removeExact(low, high, operation & ~REMOVAL)
      difference--
    }
  }
  return difference
}

/** Consecutive changes of one node's interest, exact ones first. */
export interface InterestDelta {
  readonly nodeId: NodeId
  readonly incarnation: Incarnation
  readonly firstSequence: number
  readonly lastSequence: number
  /** Of the bloom filter the removals' positions are about. */
  readonly generation: number
  /** For `applyExactChanges`; part of the message. */
  readonly exact: Uint8Array
  readonly patterns: readonly Pattern[]
}

/** Encodes the changes into as few messages of at most `limits.gossipMessageBytesMax` as they fit, in order. */
export function encodeDeltas(delta: {
  readonly nodeId: NodeId
  readonly incarnation: Incarnation
  readonly firstSequence: number
  readonly generation: number
  readonly exact: ExactChanges
  readonly patterns: readonly Pattern[]
}): Uint8Array[] {
  const { exact, patterns } = delta
  const messages: Uint8Array[] = []
  let exactAt = 0
  let patternAt = 0
  while (exactAt < exact.count || patternAt < patterns.length) {
    const writer = new ByteWriter()
    writer.uint8(INTEREST_WIRE_VERSION)
    writer.uint8(DELTA_TYPE)
    writer.uint64(delta.incarnation)
    writer.uint64(delta.firstSequence + exactAt + patternAt)
    writer.shortText(delta.nodeId)
    writer.uint32(delta.generation)
    // Both counts take four bytes.
    const room = limits.gossipMessageBytesMax - writer.length - 8
    const exactTo = Math.min(exact.count, exactAt + Math.floor(room / EXACT_CHANGE_BYTES))
    writer.uint32(exactTo - exactAt)
    writer.raw(exact.bytes(exactAt, exactTo))
    exactAt = exactTo
    const countAt = writer.length
    writer.uint32(0)
    const first = patternAt
    while (exactAt === exact.count && patternAt < patterns.length) {
      const pattern = patterns[patternAt] as Pattern
      if (
        writer.length + patternBytesMax(pattern) > limits.gossipMessageBytesMax &&
        writer.length > countAt + 4
      )
        break
      const before = writer.length
      encodePattern(writer, pattern)
      if (writer.length > limits.gossipMessageBytesMax) {
        writer.truncate(before)
        break
      }
      patternAt++
    }
    writer.patchUint32(countAt, patternAt - first)
    messages.push(writer.bytes())
  }
  return messages
}

/** Undefined when the message is not a well-formed delta. */
export function decodeDelta(message: Uint8Array): InterestDelta | undefined {
  if (message.length > limits.gossipMessageBytesMax) return undefined
  const reader = new ByteReader(message)
  if (reader.uint8() !== INTEREST_WIRE_VERSION || reader.uint8() !== DELTA_TYPE) return undefined
  const incarnation = reader.uint64()
  const firstSequence = reader.uint64()
  const nodeId = reader.shortText()
  const generation = reader.uint32()
  const exactCount = reader.uint32()
  const exact = reader.raw(exactCount * EXACT_CHANGE_BYTES)
  const patterns = decodePatterns(reader)
  if (reader.failed || patterns === undefined || reader.remaining > 0) return undefined
  const count = exactCount + patterns.length
  if (incarnation < 1 || firstSequence < 1 || generation < 1 || count < 1) return undefined
  const lastSequence = firstSequence + count - 1
  if (!Number.isSafeInteger(lastSequence)) return undefined
  return { nodeId, incarnation, firstSequence, lastSequence, generation, exact, patterns }
}
