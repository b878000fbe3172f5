import type { FencingToken, Incarnation, NodeId } from '../src/core/ids.ts'
import type { CoordinationEntry, CoordinationOperation } from '../src/core/ports/coordination-store.ts'
import { parseRecord } from './member-record.ts'

/**
 * How the owner came by the session. `new`: nobody had it. `reconnect`: the same node did, and the session goes on. `moved`: the
 * previous owner handed it over. `clean`: its client wanted nothing of what there was. `owner-lost`: the previous owner is dead. `reclaimed`: the
 * store had forgotten who owns it.
 */
export type OwnershipOrigin = 'new' | 'reconnect' | 'moved' | 'clean' | 'owner-lost' | 'reclaimed'

/**
 * Who owns a session, as its record in the coordination store says: about 150 B of JSON. It is on no lease: it outlives its
 * owner, which is what tells a returning node whether its stored session was superseded.
 */
export interface OwnershipRecord {
  readonly node: NodeId
  readonly incarnation: Incarnation
  /** Of the token. */
  readonly epoch: number
  /** 0: the mod revision of this very record, which a value cannot contain; rewrites that change no owner copy it. */
  readonly tokenRevision: number
  /** Random, new with every claim: tells the claimant whether a write of unknown outcome was carried out. */
  readonly nonce: string
  /** Seconds the session outlives its connection, as last written; 0xFFFFFFFF = for ever. */
  readonly expiry: number
  readonly how: OwnershipOrigin
  /** Node that owned it before, if another. */
  readonly from?: NodeId | undefined
  /** Wall clock ms of the last change of owner. */
  readonly sinceMs: number
}

/** A record as it was read. */
export interface StoredOwnership extends OwnershipRecord {
  readonly modRevision: number
  readonly token: FencingToken
}

const ORIGINS: ReadonlySet<unknown> = new Set<OwnershipOrigin>([
  'new',
  'reconnect',
  'moved',
  'clean',
  'owner-lost',
  'reclaimed',
])

export function encodeOwnership(record: OwnershipRecord): Uint8Array {
  const { node, incarnation, epoch, tokenRevision, nonce, expiry, how, from, sinceMs } = record
  const fields = { node, incarnation, epoch, tokenRevision, nonce, expiry, how, from, sinceMs }
  // From Node's pool: most records only pass through.
  return Buffer.from(JSON.stringify(fields))
}

/**
 * Writes the record of a session. One that ends with its connection ends with its owner's process, too, and leaves nothing
 * behind unless `hasWill`: then whoever publishes that finds in the record that the session is over.
 */
export function putOwnership(key: string, record: OwnershipRecord, hasWill: boolean): CoordinationOperation {
  const isVolatile = record.expiry === 0 && !hasWill
  return { type: 'put', key, value: encodeOwnership(record), isVolatile }
}

/** Undefined when the value is not an ownership record: it then owns nothing and may be overwritten. */
export function decodeOwnership({ value, modRevision }: CoordinationEntry): StoredOwnership | undefined {
  const fields = parseRecord(value) ?? {}
  const { node, incarnation, epoch, tokenRevision, nonce, expiry, how, from, sinceMs } = fields
  if (typeof node !== 'string' || typeof nonce !== 'string' || !isOrigin(how)) return undefined
  if (!isCount(incarnation) || !isCount(epoch) || !isCount(tokenRevision)) return undefined
  if (!isCount(expiry) || !isCount(sinceMs)) return undefined
  if (from !== undefined && typeof from !== 'string') return undefined
  const token = { epoch, revision: tokenRevision === 0 ? modRevision : tokenRevision }
  const record = { node, incarnation, epoch, tokenRevision, nonce, expiry, how, from, sinceMs }
  return { ...record, modRevision, token }
}

function isOrigin(value: unknown): value is OwnershipOrigin {
  return ORIGINS.has(value)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
