import type { ClientId, FencingToken } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import { compareTokens } from '../src/core/ids.ts'
import type { CoordinationKeys } from './keys.ts'
import { decodeOwnership } from './session-record.ts'
import { resultOf } from './store-calls.ts'

export interface OwnedSession {
  readonly clientId: ClientId
  readonly token: FencingToken
}

/** Reads under way at once. */
const CONCURRENT_READS = 8

/**
 * Which of these sessions are no longer owned under the token given: their record is gone, or carries another one. Reads
 * the records themselves, in read-only transactions. Rejects with COORDINATION_UNAVAILABLE.
 */
export async function findSuperseded(
  store: CoordinationStore,
  keys: CoordinationKeys,
  sessions: readonly OwnedSession[],
): Promise<ClientId[]> {
  const superseded: ClientId[] = []
  const pageSize = limits.coordinationTransactionOpsMax
  let next = 0
  const readPages = async (): Promise<void> => {
    while (next < sessions.length) {
      const page = sessions.slice(next, next + pageSize)
      next += pageSize
      const success = page.map(({ clientId }) => ({ type: 'get' as const, key: keys.session(clientId) }))
      const { results } = resultOf(await store.transact({ compare: [], success, failure: [] }))
      page.forEach(({ clientId, token }, index) => {
        const found = results[index]
        const record =
          found?.type === 'get' && found.entry !== undefined ? decodeOwnership(found.entry) : undefined
        if (record === undefined || compareTokens(record.token, token) !== 0) superseded.push(clientId)
      })
    }
  }
  await Promise.all(Array.from({ length: CONCURRENT_READS }, readPages))
  return superseded
}
