import type { Incarnation } from '../src/core/ids.ts'
import type { CoordinationEntry } from '../src/core/ports/coordination-store.ts'
import { parseRecord } from './member-record.ts'

/** What the incarnation key of a node says: who was given the node's newest incarnation. */
export interface IncarnationRecord {
  /** New with every write: tells the writer whether one of unknown outcome was carried out. */
  readonly nonce: string
  /** In which the incarnation was given; it follows from the key's mod revision. */
  readonly epoch?: number | undefined
  /** Stands in a key that was written again for a life that already had its incarnation. */
  readonly incarnation?: Incarnation | undefined
  readonly dataDirId?: string | undefined
  /** The first of the lives that ran on that data directory one after the other; undefined: this one. */
  readonly sameDirSince?: Incarnation | undefined
  /** Nothing need be kept for the node until it comes again; see `known-nodes.ts`. */
  readonly isRetired?: boolean | undefined
}

/** Incarnations of one epoch of the store are below those of the next, whatever its revisions. */
const REVISIONS_PER_EPOCH = 2 ** 40
/** Keeps incarnations safe integers. */
const EPOCH_STEPS_MAX = 8190

/** The incarnation of a life whose key was written at that revision of the store. */
export function incarnationAt(epoch: number, revision: number): Incarnation {
  return Math.min(epoch - 1, EPOCH_STEPS_MAX) * REVISIONS_PER_EPOCH + revision
}

export function encodeIncarnation(record: IncarnationRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record))
}

/** Undefined when the value is not such a record. `epoch` is that of the store, for records that name none. */
export function decodeIncarnation(
  { value, modRevision }: CoordinationEntry,
  epoch: number,
):
  | {
      nonce: string
      incarnation: Incarnation
      dataDirId: string | undefined
      sameDirSince: Incarnation
      isRetired: boolean
    }
  | undefined {
  const fields = parseRecord(value)
  if (fields === undefined || typeof fields['nonce'] !== 'string') return undefined
  const { nonce, dataDirId } = fields
  const given = typeof fields['epoch'] === 'number' ? fields['epoch'] : epoch
  const { incarnation = incarnationAt(given, modRevision) } = fields
  const { sameDirSince = incarnation } = fields
  if (!Number.isSafeInteger(incarnation) || !Number.isSafeInteger(sameDirSince)) return undefined
  return {
    nonce,
    incarnation: incarnation as Incarnation,
    dataDirId: typeof dataDirId === 'string' ? dataDirId : undefined,
    sameDirSince: sameDirSince as Incarnation,
    isRetired: fields['isRetired'] === true,
  }
}
