import { limits } from '../src/core/limits.ts'
import type { Incarnation, NodeId } from '../src/core/ids.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'

/** Changes whenever anything in WIRE.md changes incompatibly. */
export const INTEREST_WIRE_VERSION = 1

const DELTA_TYPE = 1
const ADD = 1
const REMOVE = 0
/** version, type, incarnation, first sequence. */
const ID_FIXED_BYTES = 1 + 1 + 8 + 8

export interface InterestChange {
  readonly isAdd: boolean
  readonly filter: string
  /** `filterHash` of the filter's bytes. */
  readonly hash: number
}

/** Consecutive changes of one node's interest; the change at index `i` has sequence `firstSequence + i`. */
export interface InterestDelta {
  readonly nodeId: NodeId
  readonly incarnation: Incarnation
  readonly firstSequence: number
  readonly changes: readonly InterestChange[]
}

/** Encodes the changes into as few messages of at most `limits.gossipMessageBytesMax` as they fit, in order. */
export function encodeDeltas(delta: {
  readonly nodeId: NodeId
  readonly incarnation: Incarnation
  readonly firstSequence: number
  readonly changes: readonly { readonly isAdd: boolean; readonly filter: string }[]
}): Uint8Array[] {
  const messages: Uint8Array[] = []
  for (let at = 0; at < delta.changes.length;) {
    const writer = new ByteWriter()
    writer.uint8(INTEREST_WIRE_VERSION)
    writer.uint8(DELTA_TYPE)
    writer.uint64(delta.incarnation)
    writer.uint64(delta.firstSequence + at)
    writer.shortText(delta.nodeId)
    const countAt = writer.length
    writer.uint32(0)
    const first = at
    for (; at < delta.changes.length; at++) {
      const { isAdd, filter } = delta.changes[at] as { isAdd: boolean; filter: string }
      const before = writer.length
      writer.uint8(isAdd ? ADD : REMOVE)
      writer.text(filter)
      if (writer.length <= limits.gossipMessageBytesMax) continue
      writer.truncate(before)
      break
    }
    writer.patchUint32(countAt, at - first)
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
  const count = reader.uint32()
  if (reader.failed || incarnation < 1 || firstSequence < 1 || count < 1) return undefined
  if (!Number.isSafeInteger(firstSequence + count)) return undefined
  const changes: InterestChange[] = []
  for (let i = 0; i < count && !reader.failed; i++) {
    const operation = reader.uint8()
    const filter = reader.text()
    if (operation > ADD || filter === '') return undefined
    changes.push({ isAdd: operation === ADD, filter, hash: reader.lastTextHash })
  }
  if (reader.failed || reader.remaining > 0) return undefined
  return { nodeId, incarnation, firstSequence, changes }
}

/**
 * What identifies a message towards gossip's duplicate filter: origin, incarnation and first sequence. Two messages with
 * the same changes differ by it; anything that is not a delta is identified by its first bytes.
 */
export function gossipMessageId(message: Uint8Array): Uint8Array {
  const nodeIdLength = message[ID_FIXED_BYTES] ?? 0
  return message.subarray(0, ID_FIXED_BYTES + 1 + nodeIdLength)
}
