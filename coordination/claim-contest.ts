/**
 * One claim, from its first attempt to its answer: swap the record if nobody lives who owns it, else ask the owner, look
 * again, swap; bounded in time and in races lost.
 *
 * Invariant: `claimed` is answered only when the record was seen to carry this contest's nonce under the generation of
 * the lease in which it was written; and every swap compares the record's revision, the claimant's own member key and,
 * where the owner did not consent, the absence of the owner's.
 */
import type { ClientId, FencingToken, Incarnation, NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type {
  CoordinationCompare,
  CoordinationEntry,
  CoordinationStore,
  CoordinationTransactionResult,
} from '../src/core/ports/coordination-store.ts'
import type { Random } from '../src/core/ports/random.ts'
import type { ClaimAnswer } from '../src/core/ports/session-ownership.ts'
import { Backoff } from './backoff.ts'
import type { CoordinationKeys } from './keys.ts'
import type { ConsentAnswer } from './session-consent.ts'
import { decodeOwnership, encodeOwnership, type StoredOwnership } from './session-record.ts'
import { isAbsent, isAtRevision, isPresent, newNonce } from './store-calls.ts'

export interface ContestContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly random: Random
  readonly keys: CoordinationKeys
  readonly nodeId: NodeId
  isActive(): boolean
  /** Changes when the lease was lost. */
  generation(): number
  isLive(nodeId: NodeId, incarnation: Incarnation): boolean
  ask(
    owner: { readonly nodeId: NodeId; readonly incarnation: Incarnation },
    clientId: ClientId,
    token: FencingToken,
    withinMs: number,
  ): Promise<ConsentAnswer>
}

/**
 * Writes of unknown outcome for one client id, by nonce: what each would have resumed. They may be carried out at any
 * time, and the token they replace must not be forgotten when they are.
 */
export type UnsettledWrites = Map<string, FencingToken | undefined>

type Refusal = Extract<ClaimAnswer, { status: 'refused' }>['reason']

/** The record as last seen. `modRevision` 0: there is none. `owner`: undefined also when its value is not a record. */
interface Sight {
  readonly modRevision: number
  readonly owner: StoredOwnership | undefined
  /** The owner's member key was there in the same read, whatever the membership watch says. */
  readonly isOwnerRegistered: boolean
}

const CONTEST_MS = 3000
const CONSENT_MS = 2000
const RACES_LOST_MAX = 8

export class ClaimContest {
  readonly #context: ContestContext
  readonly #self: { readonly incarnation: Incarnation; readonly epoch: number }
  readonly #clientId: ClientId
  readonly #key: string
  readonly #memberKey: string
  readonly #backoff: Backoff
  readonly #endMs: number
  readonly #unsettled: UnsettledWrites
  /** Nobody owns most client ids, so the first attempt assumes so and saves a read. */
  #sight: Sight = { modRevision: 0, owner: undefined, isOwnerRegistered: false }
  #racesLost = 0
  #isNextAtOnce = false

  constructor(
    context: ContestContext,
    self: { readonly incarnation: Incarnation; readonly epoch: number },
    clientId: ClientId,
    unsettled: UnsettledWrites,
  ) {
    this.#unsettled = unsettled
    this.#context = context
    this.#self = self
    this.#clientId = clientId
    this.#key = context.keys.session(clientId)
    this.#memberKey = context.keys.member(context.nodeId, self.incarnation)
    this.#backoff = new Backoff(context.clock, context.random, 10, 200)
    this.#endMs = context.clock.now() + CONTEST_MS
  }

  /** Never rejects. */
  async run(): Promise<ClaimAnswer> {
    for (;;) {
      const step = await this.#step()
      if (typeof step === 'object') return step
      if (step === 'suspended') return { status: 'refused', reason: step }
      const isOver = this.#context.clock.now() >= this.#endMs
      if (isOver || this.#racesLost > RACES_LOST_MAX) return { status: 'refused', reason: step }
      if (!this.#isNextAtOnce) await this.#backoff.pause()
      this.#isNextAtOnce = false
    }
  }

  /** One attempt: an answer, or what stands in the way. */
  async #step(): Promise<ClaimAnswer | Refusal> {
    if (!this.#context.isActive()) return 'suspended'
    const { owner } = this.#sight
    if (owner !== undefined && this.#isOthersLive(owner)) {
      const answer = await this.#askOwner(owner)
      if (answer !== 'consent') {
        const isRead = await this.#look()
        if (!isRead) return 'unavailable'
        return answer === 'unreachable' ? 'owner-unreachable' : 'contended'
      }
      return this.#swap(owner, true)
    }
    return this.#swap(owner, false)
  }

  #isOthersLive(owner: StoredOwnership): boolean {
    if (owner.node === this.#context.nodeId) return false
    return this.#sight.isOwnerRegistered || this.#context.isLive(owner.node, owner.incarnation)
  }

  #askOwner(owner: StoredOwnership): Promise<ConsentAnswer> {
    const leftMs = Math.max(0, this.#endMs - this.#context.clock.now())
    const address = { nodeId: owner.node, incarnation: owner.incarnation }
    return this.#context.ask(address, this.#clientId, owner.token, Math.min(CONSENT_MS, leftMs))
  }

  async #swap(owner: StoredOwnership | undefined, hasConsent: boolean): Promise<ClaimAnswer | Refusal> {
    const { store, random, nodeId } = this.#context
    const startedIn = this.#context.generation()
    const nonce = newNonce(random)
    const record = { node: nodeId, ...this.#self, tokenRevision: 0, nonce }
    const resumableToken = this.#resumable(owner)
    const outcome = await store.transact({
      compare: this.#comparisons(owner, hasConsent),
      success: [{ type: 'put', key: this.#key, value: encodeOwnership(record) }],
      failure: this.#reads(owner),
    })
    if (outcome.outcome === 'unavailable') return 'unavailable'
    if (outcome.outcome === 'done' && !outcome.result.succeeded) return this.#onLost(outcome.result)
    if (outcome.outcome === 'unknown') this.#unsettled.set(nonce, resumableToken)
    const revision = outcome.outcome === 'done' ? outcome.result.revision : await this.#readBack(nonce)
    if (revision === undefined) return 'unavailable'
    // Written under a lease since lost: others may have taken it, so it must be won again.
    if (this.#context.generation() !== startedIn) return (await this.#look()) ? 'contended' : 'unavailable'
    const token = { epoch: this.#self.epoch, revision }
    return { status: 'claimed', token, resumableToken }
  }

  /** What may be resumed after the record as seen is replaced: this node's last ownership, whichever write of it this is. */
  #resumable(owner: StoredOwnership | undefined): FencingToken | undefined {
    if (owner?.node !== this.#context.nodeId) return undefined
    return this.#unsettled.has(owner.nonce) ? this.#unsettled.get(owner.nonce) : owner.token
  }

  #comparisons(owner: StoredOwnership | undefined, hasConsent: boolean): CoordinationCompare[] {
    const { keys, nodeId } = this.#context
    const compare = [isAtRevision(this.#key, this.#sight.modRevision), isPresent(this.#memberKey)]
    if (owner !== undefined && owner.node !== nodeId && !hasConsent) {
      compare.push(isAbsent(keys.member(owner.node, owner.incarnation)))
    }
    return compare
  }

  /** The record, this node's member key and, when there is one, the owner's. */
  #reads(owner: StoredOwnership | undefined): { type: 'get'; key: string }[] {
    const keys = [this.#key, this.#memberKey]
    if (owner !== undefined) keys.push(this.#context.keys.member(owner.node, owner.incarnation))
    return keys.map(key => ({ type: 'get', key }))
  }

  #onLost(result: CoordinationTransactionResult): Refusal {
    const [record, ownMember, ownerMember] = entriesOf(result)
    const isRace = (record?.modRevision ?? 0) !== this.#sight.modRevision
    if (isRace) this.#racesLost++
    // To have assumed that nobody owns the session, or that its owner is gone, was no race: go on at once.
    this.#isNextAtOnce = !isRace || this.#racesLost === 1
    if (ownMember === undefined) return 'suspended'
    this.#see(record, ownerMember)
    return 'contended'
  }

  #see(record: CoordinationEntry | undefined, ownerMember: CoordinationEntry | undefined): void {
    const owner = record && decodeOwnership(record)
    const ownerKey = owner && this.#context.keys.member(owner.node, owner.incarnation)
    const isOwnerRegistered = ownerKey !== undefined && ownerMember?.key === ownerKey
    this.#sight = { modRevision: record?.modRevision ?? 0, owner, isOwnerRegistered }
  }

  /** Reads the record anew, and whether its owner as last seen is registered. False when the store does not answer. */
  async #look(): Promise<boolean> {
    const success = this.#reads(this.#sight.owner)
    const outcome = await this.#context.store.transact({ compare: [], success, failure: [] })
    if (outcome.outcome !== 'done') return false
    const [record, , ownerMember] = entriesOf(outcome.result)
    this.#see(record, ownerMember)
    return true
  }

  /** Whether a write of unknown outcome was carried out: its revision, or undefined when it was not or cannot be known. */
  async #readBack(nonce: string): Promise<number | undefined> {
    if (!(await this.#look())) return undefined
    const { owner, modRevision } = this.#sight
    return owner?.nonce === nonce ? modRevision : undefined
  }
}

function entriesOf({ results }: CoordinationTransactionResult): (CoordinationEntry | undefined)[] {
  return results.map(result => (result.type === 'get' ? result.entry : undefined))
}
