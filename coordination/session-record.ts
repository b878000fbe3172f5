import type { FencingToken, Incarnation, NodeId } from '../src/core/ids.ts'
import type { CoordinationEntry } from '../src/core/ports/coordination-store.ts'
import { parseRecord } from './member-record.ts'

/**
 * Who owns a session, as its record in the coordination store says. It is on no lease: it outlives its owner, which is
 * what tells a returning node whether its stored session was superseded.
 */
export interface OwnershipRecord {
  readonly node: NodeId
  readonly incarnation: Incarnation
  readonly epoch: number
  /** 0: the mod revision of this very record, which a value cannot contain; rewrites that change no owner copy it. */
  readonly tokenRevision: number
  /** Random, new with every claim: tells the claimant whether a write of unknown outcome was carried out. */
  readonly nonce: string
}

/** A record as it was read. */
export interface StoredOwnership extends OwnershipRecord {
  readonly modRevision: number
  readonly token: FencingToken
}

export function encodeOwnership(record: OwnershipRecord): Uint8Array {
  // Encoders hand out more memory than they fill, and there is a record for every client.
  return new TextEncoder().encode(JSON.stringify(record)).slice()
}

/** Undefined when the value is not an ownership record: it then owns nothing and may be overwritten. */
export function decodeOwnership({ value, modRevision }: CoordinationEntry): StoredOwnership | undefined {
  const { node, incarnation, epoch, tokenRevision, nonce } = parseRecord(value) ?? {}
  if (typeof node !== 'string' || typeof nonce !== 'string') return undefined
  if (!isCount(incarnation) || !isCount(epoch) || !isCount(tokenRevision)) return undefined
  const token = { epoch, revision: tokenRevision === 0 ? modRevision : tokenRevision }
  return { node, incarnation, epoch, tokenRevision, nonce, modRevision, token }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
