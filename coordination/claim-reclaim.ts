/**
 * Writes the records of a node's sessions again after the store was restored from a backup, or emptied, and their wills.
 *
 * The owner has not changed, so the token is copied and everything stored under it stays valid. Invariant: a record whose
 * token is newer than ours is another's claim under the new epoch, and is left alone.
 */
import { compareTokens, type ClientId, type Incarnation, type NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { CoordinationTransaction } from '../src/core/ports/coordination-store.ts'
import type { Random } from '../src/core/ports/random.ts'
import { GrapevineError } from '../src/core/errors.ts'
import type { BatchedOutcome, ClaimBatcher } from './claim-batcher.ts'
import type { OwnedRecord } from './claim-owned.ts'
import { toSight } from './claim-sight.ts'
import type { CoordinationKeys } from './keys.ts'
import { putOwnership } from './session-record.ts'
import { isAtRevision, newNonce } from './store-calls.ts'

export interface ReclaimContext {
  readonly batcher: ClaimBatcher
  readonly clock: Clock
  readonly random: Random
  readonly keys: CoordinationKeys
  readonly nodeId: NodeId
  self(): { readonly incarnation: Incarnation }
  /** Value of the will to be kept of an owned session, undefined when there is none. */
  willOf(clientId: ClientId, owned: OwnedRecord): Uint8Array | undefined
  /** It was given to another node since, where it may have ended: without a record nothing is written. */
  isGiven(clientId: ClientId): boolean
}

const UNDER_WAY = 480
const WAIT_MS = 10_000

/**
 * Answers the client ids that others own by now. Rejects with COORDINATION_UNAVAILABLE when the store, or this node's lease,
 * is gone; to be repeated then, which is harmless.
 */
export async function reclaim(
  context: ReclaimContext,
  sessions: Iterable<readonly [ClientId, OwnedRecord]>,
): Promise<ClientId[]> {
  const lost: ClientId[] = []
  const next = sessions[Symbol.iterator]()
  const work = async (): Promise<void> => {
    for (let item = next.next(); item.done !== true; item = next.next()) {
      const [clientId, owned] = item.value
      if (!(await reclaimOne(context, clientId, owned))) lost.push(clientId)
    }
  }
  await Promise.all(Array.from({ length: UNDER_WAY }, work))
  return lost
}

/** False: it is another's. */
async function reclaimOne(context: ReclaimContext, clientId: ClientId, owned: OwnedRecord): Promise<boolean> {
  const { batcher, clock, random, keys, nodeId } = context
  const key = keys.session(clientId)
  const willKey = keys.will(nodeId, context.self().incarnation, clientId)
  const get = [key, willKey].map(name => ({ type: 'get' as const, key: name }))
  const submit = async (
    transaction: CoordinationTransaction,
  ): Promise<Extract<BatchedOutcome, { outcome: 'done' }>['result']> => {
    const outcome = await batcher.submit(clientId, () => transaction, clock.now() + WAIT_MS)
    if (outcome.outcome === 'done') return outcome.result
    throw new GrapevineError(
      'COORDINATION_UNAVAILABLE',
      `session records could not be written again: ${outcome.outcome}`,
    )
  }
  const will = context.willOf(clientId, owned)
  let found = await submit({ compare: [], success: get, failure: [] })
  for (;;) {
    const { owner, modRevision } = toSight(undefined, found)
    const order = owner === undefined ? -1 : compareTokens(owner.token, owned.token)
    if (order > 0) return false
    if (owner === undefined && context.isGiven(clientId)) return true
    const { incarnation } = context.self()
    const isOurs = order === 0 && owner?.node === nodeId && owner.incarnation === incarnation
    const [, keptWill] = found.results
    const hasOldWill = keptWill?.type === 'get' && keptWill.entry !== undefined
    if (isOurs && will === undefined && (owned.hasWill || !hasOldWill)) {
      owned.modRevision = modRevision
      return true
    }
    const record = {
      node: nodeId,
      incarnation,
      epoch: owned.token.epoch,
      tokenRevision: owned.token.revision,
      nonce: newNonce(random),
      expiry: owned.expirySeconds,
      how: 'reclaimed' as const,
      sinceMs: clock.wallNow(),
    }
    const success = isOurs ? [] : [putOwnership(key, record, owned.hasWill)]
    if (will !== undefined) success.push({ type: 'put', key: willKey, value: will })
    // A backup may have one that was published or dropped since.
    else if (!owned.hasWill) success.push({ type: 'delete', key: willKey })
    found = await submit({ compare: [isAtRevision(key, modRevision)], success, failure: get })
    if (!found.succeeded) continue
    owned.modRevision = isOurs ? modRevision : found.revision
    return true
  }
}
