import type { Incarnation, NodeId } from '../src/core/ids.ts'
import type {
  CoordinationEntry,
  CoordinationOperation,
  CoordinationTransactionResult,
} from '../src/core/ports/coordination-store.ts'
import { decodeDeathNote, type DeathNote } from './claim-policy.ts'
import type { CoordinationKeys } from './keys.ts'
import { decodeOwnership, type StoredOwnership } from './session-record.ts'

/** A session's record as last seen, and what the same read said of its owner. */
export interface Sight {
  /** 0: there is no record. */
  readonly modRevision: number
  /** Undefined also when the value is not a record. */
  readonly owner: StoredOwnership | undefined
  /** False: nothing was read, this is what is most likely. */
  readonly wasRead: boolean
  /** The owner's own keys were read with the record. */
  readonly isOwnerKnown: boolean
  /** The owner's member key was there, whatever the membership watch says. */
  readonly isOwnerRegistered: boolean
  readonly deathNote: DeathNote | undefined
}

/** Nobody owns most client ids, so a first attempt assumes so and saves a read. */
export const UNSEEN: Sight = {
  modRevision: 0,
  owner: undefined,
  wasRead: false,
  isOwnerKnown: false,
  isOwnerRegistered: false,
  deathNote: undefined,
}

/** Reads the record and, when there was an owner, that owner's member key and note of death. */
export function sightReads(
  keys: CoordinationKeys,
  recordKey: string,
  owner: { readonly node: NodeId; readonly incarnation: Incarnation } | undefined,
): CoordinationOperation[] {
  const names = [recordKey]
  if (owner !== undefined) {
    names.push(keys.member(owner.node, owner.incarnation), keys.dead(owner.node, owner.incarnation))
  }
  return names.map(key => ({ type: 'get', key }))
}

/** What `sightReads` of the owner asked about have found. */
export function toSight(
  asked: { readonly node: NodeId; readonly incarnation: Incarnation } | undefined,
  { results }: CoordinationTransactionResult,
): Sight {
  const [record, member, note] = results.map(entryOf)
  const owner = record && decodeOwnership(record)
  const isOwnerKnown =
    owner !== undefined && owner.node === asked?.node && owner.incarnation === asked.incarnation
  return {
    modRevision: record?.modRevision ?? 0,
    owner,
    wasRead: true,
    isOwnerKnown,
    isOwnerRegistered: isOwnerKnown && member !== undefined,
    deathNote: isOwnerKnown && note !== undefined ? decodeDeathNote(note.value) : undefined,
  }
}

function entryOf(result: CoordinationTransactionResult['results'][number]): CoordinationEntry | undefined {
  return result.type === 'get' ? result.entry : undefined
}
