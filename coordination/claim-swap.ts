import type { Incarnation, NodeId } from '../src/core/ids.ts'
import type { CoordinationCompare, CoordinationTransaction } from '../src/core/ports/coordination-store.ts'
import { sightReads } from './claim-sight.ts'
import type { CoordinationKeys } from './keys.ts'
import {
  putOwnership,
  type OwnershipOrigin,
  type OwnershipRecord,
  type StoredOwnership,
} from './session-record.ts'
import { isAbsent, isAtRevision } from './store-calls.ts'

/**
 * From whom a record is taken: nobody · this node itself, in this life or an earlier one · an owner who consented · an owner
 * who is dead.
 */
export type Taking = 'unowned' | 'own' | 'consented' | 'dead'

export interface Swap {
  readonly self: { readonly nodeId: NodeId; readonly incarnation: Incarnation; readonly epoch: number }
  readonly wish: {
    readonly clientId: string
    readonly cleanStart: boolean
    readonly expiryIntervalSeconds: number
  }
  /** Value of the will to be kept. */
  readonly will: Uint8Array | undefined
  readonly taking: Taking
  /** As the record was seen, at `modRevision`. */
  readonly owner: StoredOwnership | undefined
  readonly modRevision: number
  /** The record is this node's, by a write whose outcome was not learnt: this one repeats it. */
  readonly isSettling: boolean
  readonly nonce: string
  /** Wall clock ms. */
  readonly sinceMs: number
}

/**
 * The nested transaction of a claim. Success: the record is swapped, the will kept, the previous owner's will dropped where
 * the session goes on, and a dead owner left a note of what it lost. Failure: everything the next attempt needs is read.
 */
export function swapTransaction(keys: CoordinationKeys, swap: Swap): CoordinationTransaction {
  const { self, wish, will, owner, modRevision, taking } = swap
  const { clientId } = wish
  const recordKey = keys.session(clientId)
  const compare: CoordinationCompare[] = [isAtRevision(recordKey, modRevision)]
  const success = [putOwnership(recordKey, newRecord(swap), will !== undefined)]
  if (owner !== undefined && taking === 'dead') {
    compare.push(isAbsent(keys.member(owner.node, owner.incarnation)))
    success.push({
      type: 'put',
      key: keys.lost(owner.node, owner.incarnation, clientId),
      value: lostNote(swap),
    })
  }
  const willKey = will && keys.will(self.nodeId, self.incarnation, clientId)
  if (will !== undefined && willKey !== undefined) success.push({ type: 'put', key: willKey, value: will })
  if (owner !== undefined && dropsWillOf(owner, swap)) {
    const key = keys.will(owner.node, owner.incarnation, clientId)
    if (key !== willKey) success.push({ type: 'delete', key })
  }
  return { compare, success, failure: sightReads(keys, recordKey, owner) }
}

/**
 * A live owner publishes or cancels its client's will itself; a session that goes on has its will replaced. But where a
 * session ended with its dead owner, its will is due, and is the leader's to publish [MQTT-3.1.2-8].
 */
function dropsWillOf(owner: StoredOwnership, { self, wish, taking }: Swap): boolean {
  if (taking === 'consented') return true
  if (taking !== 'own') return false
  return owner.incarnation === self.incarnation || !wish.cleanStart
}

function newRecord({ self, wish, owner, taking, isSettling, nonce, sinceMs }: Swap): OwnershipRecord {
  const previous = owner === undefined || owner.node === self.nodeId ? undefined : owner.node
  return {
    node: self.nodeId,
    incarnation: self.incarnation,
    epoch: self.epoch,
    tokenRevision: 0,
    nonce,
    expiry: wish.expiryIntervalSeconds,
    how:
      isSettling && owner !== undefined && !wish.cleanStart ? owner.how : originOf(taking, wish.cleanStart),
    from: isSettling ? owner?.from : previous,
    sinceMs,
  }
}

function originOf(taking: Taking, cleanStart: boolean): OwnershipOrigin {
  if (taking === 'unowned') return 'new'
  if (cleanStart) return 'clean'
  if (taking === 'own') return 'reconnect'
  return taking === 'consented' ? 'moved' : 'owner-lost'
}

/** For whoever looks at the store; that the key is there is what counts. */
function lostNote({ self, sinceMs }: Swap): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ to: self.nodeId, atMs: sinceMs })).slice()
}
