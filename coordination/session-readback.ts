import type { ClientId, FencingToken } from '../src/core/ids.ts'
import { GrapevineError } from '../src/core/errors.ts'
import { limits } from '../src/core/limits.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import { compareTokens } from '../src/core/ids.ts'
import type { CoordinationKeys } from './keys.ts'
import { decodeOwnership, type StoredOwnership } from './session-record.ts'
import { isPresent, resultOf } from './store-calls.ts'

export interface OwnedSession {
  readonly clientId: ClientId
  readonly token: FencingToken
}

/** Reads under way at once. */
const CONCURRENT_READS = 8

/** What the records say of sessions stored by earlier lives. */
export interface ReadBack {
  /** Owned by others, or by nobody: to be discarded. */
  readonly superseded: ClientId[]
  /** Owned still, under these newer tokens. */
  readonly renewed: readonly OwnedSession[]
}

/**
 * Which of these sessions are no longer owned under the token given: their record is gone, or carries another one. Reads
 * the records themselves, in read-only transactions. `memberKey`: of this life; without it the store may have been emptied. Rejects
 * with COORDINATION_UNAVAILABLE.
 */
export async function findSuperseded(
  store: CoordinationStore,
  keys: CoordinationKeys,
  memberKey: string,
  sessions: readonly OwnedSession[],
): Promise<ClientId[]> {
  return (await readBack(store, keys, memberKey, sessions, () => false)).superseded
}

/**
 * As `findSuperseded`. `isRenewal`: whether a record under a newer token is that of a claim this node made upon the very state
 * it has stored, and of which its disk has not heard.
 */
export async function readBack(
  store: CoordinationStore,
  keys: CoordinationKeys,
  memberKey: string,
  sessions: readonly OwnedSession[],
  isRenewal: (record: StoredOwnership) => boolean,
): Promise<ReadBack> {
  const superseded: ClientId[] = []
  const renewed: OwnedSession[] = []
  const pageSize = limits.coordinationTransactionOpsMax
  let next = 0
  const readPages = async (): Promise<void> => {
    while (next < sessions.length) {
      const page = sessions.slice(next, next + pageSize)
      next += pageSize
      const success = page.map(({ clientId }) => ({ type: 'get' as const, key: keys.session(clientId) }))
      const compare = [isPresent(memberKey)]
      const { succeeded, results } = resultOf(await store.transact({ compare, success, failure: [] }))
      if (!succeeded) throw new GrapevineError('COORDINATION_UNAVAILABLE', 'this node is no member just now')
      page.forEach(({ clientId, token }, index) => {
        const found = results[index]
        const record =
          found?.type === 'get' && found.entry !== undefined ? decodeOwnership(found.entry) : undefined
        const order = record === undefined ? -1 : compareTokens(record.token, token)
        if (order === 0) return
        if (record !== undefined && order > 0 && isRenewal(record))
          renewed.push({ clientId, token: record.token })
        else superseded.push(clientId)
      })
    }
  }
  await Promise.all(Array.from({ length: CONCURRENT_READS }, readPages))
  return { superseded, renewed }
}
