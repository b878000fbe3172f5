/**
 * Changes to what the store keeps of a session that change no owner: another will, another expiry interval.
 *
 * One client id at a time, in the order of its batcher; only what is wanted last is written. Every write compares the
 * record's revision, so that a session which has left is not touched, and copies its token. A change somebody waits for is
 * given up in bounded time; a lazy one is repeated while the session is owned. Never rejects.
 */
import { compareTokens, type ClientId, type Incarnation, type NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { CoordinationOperation, CoordinationTransaction } from '../src/core/ports/coordination-store.ts'
import type { Random } from '../src/core/ports/random.ts'
import { Backoff } from './backoff.ts'
import type { ClaimBatcher } from './claim-batcher.ts'
import { toSight } from './claim-sight.ts'
import type { ClaimStats } from './claim-stats.ts'
import type { CoordinationKeys } from './keys.ts'
import type { OwnedRecord } from './claim-owned.ts'
import { putOwnership, type StoredOwnership } from './session-record.ts'
import { isAtRevision } from './store-calls.ts'

export interface RewriteContext {
  readonly batcher: ClaimBatcher
  readonly clock: Clock
  readonly random: Random
  readonly keys: CoordinationKeys
  readonly nodeId: NodeId
  readonly stats: ClaimStats
  self(): { readonly incarnation: Incarnation }
  /** The very object while the session is owned as it was. */
  owned(clientId: ClientId): OwnedRecord | undefined
}

interface Change {
  readonly owned: OwnedRecord
  /** Undefined: none is wanted. */
  will?: { readonly value: Uint8Array | undefined }
  expiry?: number
  waiting: ((isKept: boolean) => void)[]
}

/** What one write would change, and how to see that it did. */
type Attempt = 'kept' | 'not-owned' | 'again' | 'unavailable'

/** Somebody waits at most this long. */
const WAIT_MS = 3000

export class ClaimRewrites {
  readonly #context: RewriteContext
  readonly #changes = new Map<ClientId, Change>()
  #isClosed = false

  constructor(context: RewriteContext) {
    this.#context = context
  }

  /** Resolves when the value is kept; false when it could not be. */
  putWill(clientId: ClientId, owned: OwnedRecord, value: Uint8Array): Promise<boolean> {
    const change = this.#changeOf(clientId, owned)
    if (change === undefined) return Promise.resolve(false)
    // Even a write of unknown outcome has to be cleared away one day.
    owned.hasWill = true
    change.will = { value }
    return new Promise(resolve => change.waiting.push(resolve))
  }

  /** Lazily. */
  deleteWill(clientId: ClientId, owned: OwnedRecord): void {
    const change = this.#changeOf(clientId, owned)
    if (change !== undefined) change.will = { value: undefined }
  }

  /** Whether a write for that client is under way, or waits. */
  isPending(clientId: ClientId): boolean {
    return this.#changes.has(clientId)
  }

  /** The interval the record has, once what is under way is written. */
  expiryOf(clientId: ClientId, owned: OwnedRecord): number {
    const change = this.#changes.get(clientId)
    return (change?.owned === owned ? change.expiry : undefined) ?? owned.expirySeconds
  }

  /** Lazily. */
  setExpiry(clientId: ClientId, owned: OwnedRecord, seconds: number): void {
    const change = this.#changeOf(clientId, owned)
    if (change !== undefined) change.expiry = seconds
  }

  /** Resolves when the interval is kept; false when it could not be. */
  putExpiry(clientId: ClientId, owned: OwnedRecord, seconds: number): Promise<boolean> {
    const change = this.#changeOf(clientId, owned)
    if (change === undefined) return Promise.resolve(false)
    change.expiry = seconds
    return new Promise(resolve => change.waiting.push(resolve))
  }

  close(): void {
    this.#isClosed = true
  }

  #changeOf(clientId: ClientId, owned: OwnedRecord): Change | undefined {
    const waiting = this.#changes.get(clientId)
    if (waiting?.owned === owned) return waiting
    if (this.#isClosed || this.#changes.size >= limits.claimsWaitingMax) {
      this.#context.stats.rewritesDropped++
      return undefined
    }
    const change: Change = { owned, waiting: [] }
    this.#changes.set(clientId, change)
    void this.#run(clientId, change)
    return change
  }

  async #run(clientId: ClientId, change: Change): Promise<void> {
    const { clock, random } = this.#context
    const backoff = new Backoff(clock, random, 50, 2000)
    const endMs = clock.now() + WAIT_MS
    // What is asked for in the same turn belongs to the first write.
    await Promise.resolve()
    while (!this.#isClosed && this.#isOwned(clientId, change)) {
      const { will, expiry } = change
      const attempt = await this.#attempt(clientId, change)
      if (attempt === 'not-owned') break
      if (attempt === 'kept') {
        if (change.will === will) delete change.will
        if (change.expiry === expiry) delete change.expiry
        if (change.will === undefined && change.expiry === undefined) return this.#end(clientId, change, true)
      }
      if (attempt === 'unavailable') {
        if (clock.now() >= endMs) this.#settle(change, false)
        await backoff.pause()
      }
    }
    this.#end(clientId, change, false)
  }

  #isOwned(clientId: ClientId, change: Change): boolean {
    return this.#context.owned(clientId) === change.owned
  }

  #end(clientId: ClientId, change: Change, isKept: boolean): void {
    if (this.#changes.get(clientId) === change) this.#changes.delete(clientId)
    this.#settle(change, isKept)
  }

  #settle(change: Change, isKept: boolean): void {
    for (const settle of change.waiting.splice(0)) settle(isKept)
  }

  async #attempt(clientId: ClientId, change: Change): Promise<Attempt> {
    const { owned, will, expiry } = change
    let record: StoredOwnership | undefined
    if (expiry !== undefined && expiry !== owned.expirySeconds) {
      const found = await this.#read(clientId, owned)
      if (typeof found === 'string') return found
      record = found
    }
    const transaction = this.#transaction(clientId, owned, will, record && { record, expiry: expiry ?? 0 })
    if (transaction.success.length === 0) return 'kept'
    const { batcher, clock } = this.#context
    const outcome = await batcher.submit(clientId, () => transaction, clock.now() + WAIT_MS)
    if (outcome.outcome !== 'done') return 'unavailable'
    if (!outcome.result.succeeded) return this.#seeMoved(clientId, owned)
    if (record !== undefined) {
      owned.modRevision = outcome.result.revision
      owned.expirySeconds = expiry ?? owned.expirySeconds
    }
    if (will !== undefined) owned.hasWill = will.value !== undefined || change.will !== will
    return 'kept'
  }

  #transaction(
    clientId: ClientId,
    owned: OwnedRecord,
    will: Change['will'],
    rewrite: { readonly record: StoredOwnership; readonly expiry: number } | undefined,
  ): CoordinationTransaction {
    const { keys, nodeId } = this.#context
    const recordKey = keys.session(clientId)
    const success: CoordinationOperation[] = []
    if (will !== undefined) {
      const key = keys.will(nodeId, this.#context.self().incarnation, clientId)
      const { value } = will
      success.push(value === undefined ? { type: 'delete', key } : { type: 'put', key, value })
    }
    if (rewrite !== undefined) {
      const { record, expiry } = rewrite
      const rewritten = { ...record, tokenRevision: owned.token.revision, expiry }
      success.push(putOwnership(recordKey, rewritten, owned.hasWill))
    }
    return { compare: [isAtRevision(recordKey, owned.modRevision)], success, failure: [] }
  }

  /** A write of ours whose outcome was unknown may have moved the record on under the same token. */
  async #seeMoved(clientId: ClientId, owned: OwnedRecord): Promise<Attempt> {
    const found = await this.#read(clientId, owned)
    return typeof found === 'string' ? found : 'again'
  }

  /** The record, its revision noted; or why there is nothing to rewrite. */
  async #read(
    clientId: ClientId,
    owned: OwnedRecord,
  ): Promise<StoredOwnership | 'not-owned' | 'unavailable'> {
    const { batcher, clock, keys } = this.#context
    const success = [{ type: 'get', key: keys.session(clientId) }] as const
    const read = { compare: [], success, failure: [] }
    const outcome = await batcher.submit(clientId, () => read, clock.now() + WAIT_MS)
    if (outcome.outcome !== 'done') return 'unavailable'
    const { owner } = toSight(undefined, outcome.result)
    if (owner === undefined || compareTokens(owner.token, owned.token) !== 0) return 'not-owned'
    owned.modRevision = owner.modRevision
    return owner
  }
}
