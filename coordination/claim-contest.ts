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
import type { CoordinationTransaction } from '../src/core/ports/coordination-store.ts'
import type { Random } from '../src/core/ports/random.ts'
import type { ClaimAnswer, ClaimRefusal, ClaimRequest } from '../src/core/ports/session-ownership.ts'
import { Backoff } from './backoff.ts'
import type { BatchedOutcome, ClaimBatcher } from './claim-batcher.ts'
import type { ClaimPolicy } from './claim-policy.ts'
import { sightReads, toSight, UNSEEN, type Sight } from './claim-sight.ts'
import type { ClaimStats } from './claim-stats.ts'
import { swapTransaction, type Taking } from './claim-swap.ts'
import type { CoordinationKeys, LifeName } from './keys.ts'
import type { ConsentAnswer } from './session-transfer-claimant.ts'
import type { StoredOwnership } from './session-record.ts'
import { newNonce } from './store-calls.ts'

export interface ContestContext {
  readonly batcher: ClaimBatcher
  readonly clock: Clock
  readonly random: Random
  readonly keys: CoordinationKeys
  readonly nodeId: NodeId
  readonly policy: ClaimPolicy
  readonly stats: ClaimStats
  isActive(): boolean
  /** Changes when the lease was lost. */
  generation(): number
  /** Under which this node writes now. */
  self(): { readonly incarnation: Incarnation; readonly epoch: number }
  isLive(nodeId: NodeId, incarnation: Incarnation): boolean
  /** The newest one of a member, undefined when the node is none. */
  liveIncarnation(nodeId: NodeId): Incarnation | undefined
  /** False while an absent incarnation has this node's word, or may have anybody's. */
  mayTakeFrom(nodeId: NodeId, incarnation: Incarnation): boolean
  /** Nodes are waited for that may own sessions of which the store does not know since it was replaced. */
  isAwaitingOwners(): boolean
  /** Whether this node has state of that session. */
  isHeld(clientId: ClientId): boolean
  /** The store takes no new persistent sessions. */
  isNearlyFull(): boolean
  /** Whether the complete state of that session, as its owner has just sent it, is staged here. */
  isStaged(clientId: ClientId): boolean
  ask(
    owner: LifeName,
    request: { readonly clientId: ClientId; readonly cleanStart: boolean },
    token: FencingToken,
    withinMs: number,
  ): Promise<ConsentAnswer>
}

/** What a write would have made this node the owner of, beside the session itself. */
interface Gain {
  readonly resumableToken: FencingToken | undefined
  readonly isTransferred: boolean
  /** Where the owner consented: the record's revision that it would have replaced. */
  readonly consentedAt?: number
}

/**
 * Writes of unknown outcome for one client id, by nonce: what each would have gained. They may be carried out at any
 * time, and the token they replace must not be forgotten when they are.
 */
export type UnsettledWrites = ReadonlyMap<string, Gain>

const NOTHING_UNSETTLED: UnsettledWrites = new Map()
const NO_GAIN: Gain = { resumableToken: undefined, isTransferred: false }

const CONTEST_MS = 3000
/** How long an owner asked may say nothing; a contest that is over when it has consented still swaps. */
const CONSENT_MS = 4000
const RACES_LOST_MAX = 8

export class ClaimContest {
  readonly #context: ContestContext
  readonly #wish: ClaimRequest
  readonly #will: Uint8Array | undefined
  readonly #endMs: number
  #backoff: Backoff | undefined
  #unsettled: UnsettledWrites
  readonly #epoch: number
  #sight: Sight = UNSEEN
  #racesLost = 0
  #isNextAtOnce = false
  /** When another owner was first asked, by `Clock.now`. */
  #askedAtMs: number | undefined

  /** `will`: value of the will to be kept. `unsettled`: of earlier contests for the client id. */
  constructor(
    context: ContestContext,
    wish: ClaimRequest,
    will: Uint8Array | undefined,
    unsettled = NOTHING_UNSETTLED,
  ) {
    this.#unsettled = unsettled
    this.#context = context
    this.#wish = wish
    this.#will = will
    this.#endMs = context.clock.now() + CONTEST_MS
    this.#epoch = context.self().epoch
  }

  get unsettled(): UnsettledWrites {
    return this.#unsettled
  }

  /** Never rejects. */
  async run(): Promise<ClaimAnswer> {
    for (;;) {
      const step = await this.#step()
      if (typeof step === 'object') {
        this.#noteTakeover(step)
        return step
      }
      const isFinal = step === 'suspended' || step === 'owner-lost' || step === 'quota'
      const isOver = this.#context.clock.now() >= this.#endMs
      if (isFinal || isOver || this.#racesLost > RACES_LOST_MAX) return { status: 'refused', reason: step }
      if (!this.#isNextAtOnce) await this.#pause()
      this.#isNextAtOnce = false
    }
  }

  #pause(): Promise<void> {
    const { clock, random } = this.#context
    this.#backoff ??= new Backoff(clock, random, 10, 200)
    return this.#backoff.pause()
  }

  #noteTakeover({ status }: ClaimAnswer): void {
    if (status !== 'claimed' || this.#askedAtMs === undefined) return
    this.#context.stats.takeovers.add(this.#context.clock.now() - this.#askedAtMs)
  }

  /** One attempt: an answer, or what stands in the way. */
  #step(): ClaimRefusal | Promise<ClaimAnswer | ClaimRefusal> {
    if (!this.#context.isActive()) return 'suspended'
    if (!this.#isOfThisEpoch()) return 'unavailable'
    const { owner } = this.#sight
    if (owner === undefined) return this.#takeUnowned()
    if (owner.node === this.#context.nodeId) return this.#takeOwn(owner)
    const holder = this.#holderOf(owner)
    return holder === undefined ? this.#takeFromDead(owner) : this.#takeFromLiving(holder, owner)
  }

  /** Who can be asked: the owner, or a later life of its node, which has the session on its disk. */
  #holderOf({ node, incarnation }: StoredOwnership): LifeName | undefined {
    const isLive = this.#sight.isOwnerRegistered || this.#context.isLive(node, incarnation)
    if (isLive) return { nodeId: node, incarnation }
    const later = this.#context.liveIncarnation(node)
    return later !== undefined && later > incarnation ? { nodeId: node, incarnation: later } : undefined
  }

  #takeUnowned(): ClaimRefusal | Promise<ClaimAnswer | ClaimRefusal> {
    const isAwaiting = !this.#wish.cleanStart && this.#context.isAwaitingOwners()
    if (isAwaiting && !this.#sight.wasRead) return this.#lookThen('contended', true)
    const isRefusable = this.#wish.expiryIntervalSeconds > 0 && this.#sight.modRevision === 0
    if (isRefusable && this.#context.isNearlyFull()) {
      return this.#sight.wasRead ? 'quota' : this.#lookThen('contended', true)
    }
    return this.#swap('unowned')
  }

  /**
   * An earlier life of this node that ran on another data directory may still act, by promises. Once it may be taken from it
   * can never act again, since it cannot register beside this one.
   */
  #takeOwn({ node, incarnation }: StoredOwnership): Promise<ClaimAnswer | ClaimRefusal> {
    const isSelf = incarnation === this.#context.self().incarnation
    if (isSelf || this.#context.mayTakeFrom(node, incarnation)) return this.#swap('own')
    return this.#lookThen('owner-unreachable')
  }

  async #takeFromLiving(holder: LifeName, owner: StoredOwnership): Promise<ClaimAnswer | ClaimRefusal> {
    // A later life speaks for an earlier one only where that one cannot act any more.
    const isEarlier = owner.incarnation !== holder.incarnation
    if (isEarlier && !this.#context.mayTakeFrom(owner.node, owner.incarnation)) {
      return this.#lookThen('owner-unreachable')
    }
    if (this.#isStagedStill()) return this.#swap('consented')
    this.#askedAtMs ??= this.#context.clock.now()
    const answer = await this.#context.ask(holder, this.#wish, owner.token, CONSENT_MS)
    if (answer === 'consent') return this.#swap('consented')
    return this.#lookThen(answer === 'unreachable' ? 'owner-unreachable' : 'contended')
  }

  /**
   * A swap of what is staged may be carried out yet: to ask again would give the staged state up, and then nobody had it. Nor is
   * it needed, since consent is taken back by a rewrite of the record alone.
   */
  #isStagedStill(): boolean {
    if (this.#wish.cleanStart || !this.#context.isStaged(this.#wish.clientId)) return false
    const { modRevision } = this.#sight
    return [...this.#unsettled.values()].some(({ consentedAt }) => consentedAt === modRevision)
  }

  async #takeFromDead(owner: StoredOwnership): Promise<ClaimAnswer | ClaimRefusal> {
    if (!this.#context.mayTakeFrom(owner.node, owner.incarnation)) return this.#lookThen('owner-unreachable')
    const isStateWanted = !this.#wish.cleanStart && owner.expiry > 0
    if (!isStateWanted) return this.#swap('dead')
    if (!this.#sight.isOwnerKnown) return this.#lookThen('contended', true)
    const verdict = this.#context.policy.judge(owner, this.#sight.deathNote)
    if (verdict === 'refuse') return 'owner-lost'
    const answer = await this.#swap('dead')
    const isTaken = typeof answer === 'object' && answer.status === 'claimed'
    if (isTaken && verdict === 'give-up') this.#context.stats.sessionsLost++
    return answer
  }

  async #swap(taking: Taking): Promise<ClaimAnswer | ClaimRefusal> {
    const { random, clock, keys, nodeId, stats } = this.#context
    const { owner, modRevision } = this.#sight
    const startedIn = this.#context.generation()
    const self = { nodeId, ...this.#context.self() }
    const nonce = newNonce(random)
    const gain = this.#gain(taking, owner)
    if (this.#mayBeElsewhere(taking, gain) && this.#context.isAwaitingOwners()) return 'owner-lost'
    const isSettling = owner !== undefined && this.#unsettled.has(owner.nonce)
    const sinceMs = clock.wallNow()
    const swap = {
      self,
      wish: this.#wish,
      will: this.#will,
      taking,
      owner,
      modRevision,
      isSettling,
      nonce,
      sinceMs,
    }
    const outcome = await this.#submit(() =>
      this.#maySwap(taking, owner) ? swapTransaction(keys, swap) : undefined,
    )
    if (outcome.outcome === 'unavailable' || outcome.outcome === 'suspended') return outcome.outcome
    if (outcome.outcome === 'done' && !outcome.result.succeeded) {
      this.#onLost(toSight(owner, outcome.result))
      return 'contended'
    }
    if (outcome.outcome === 'unknown') this.#unsettled = new Map([...this.#unsettled, [nonce, gain]])
    const revision = outcome.outcome === 'done' ? outcome.result.revision : await this.#readBack(nonce)
    if (revision === undefined) return 'unavailable'
    // Written under a lease since lost: others may have taken it, so it must be won again.
    if (this.#context.generation() !== startedIn) return this.#lookThen('contended')
    stats.claimed++
    const { resumableToken, isTransferred } = gain
    return { status: 'claimed', token: { epoch: self.epoch, revision }, resumableToken, isTransferred }
  }

  /** What may be taken now may not be when the batch leaves. */
  #maySwap(taking: Taking, owner: StoredOwnership | undefined): boolean {
    if (!this.#isOfThisEpoch()) return false
    return (
      taking !== 'dead' || owner === undefined || this.#context.mayTakeFrom(owner.node, owner.incarnation)
    )
  }

  /** What was seen in a store that has been replaced since means nothing, and in the new one owners come first. */
  #isOfThisEpoch(): boolean {
    return this.#context.self().epoch === this.#epoch
  }

  /** After the record as seen is replaced: this node's last ownership may be resumed, whichever write of it this is. */
  #gain(taking: Taking, owner: StoredOwnership | undefined): Gain {
    if (taking === 'consented') {
      const isTransferred = !this.#wish.cleanStart && this.#context.isStaged(this.#wish.clientId)
      return { resumableToken: undefined, isTransferred, consentedAt: this.#sight.modRevision }
    }
    if (owner === undefined || taking !== 'own') return NO_GAIN
    return this.#unsettled.get(owner.nonce) ?? { resumableToken: owner.token, isTransferred: false }
  }

  /**
   * Whether the session would begin anew, though the store may only have forgotten who has it: it was emptied, or restored, and
   * the owner its record names has been without the session since before.
   */
  #mayBeElsewhere(taking: Taking, { isTransferred }: Gain): boolean {
    const { cleanStart, clientId } = this.#wish
    if (cleanStart || isTransferred) return false
    const { owner } = this.#sight
    if (owner === undefined) return true
    const isHeld = taking === 'own' && this.#context.isHeld(clientId)
    return owner.token.epoch < this.#epoch && !isHeld
  }

  #onLost(sight: Sight): void {
    const isRace = sight.modRevision !== this.#sight.modRevision
    if (isRace) this.#racesLost++
    if (isRace && this.#sight.wasRead) this.#context.stats.racesLost++
    // To have assumed that nobody owns the session, or that its owner is gone, was no race: go on at once.
    this.#isNextAtOnce = !isRace || this.#racesLost === 1
    this.#sight = sight
  }

  /** Answers `reason` when the record could be read anew, or what prevented it. */
  async #lookThen(reason: ClaimRefusal, isNextAtOnce = false): Promise<ClaimRefusal> {
    const looked = await this.#look()
    if (looked !== 'done') return looked
    this.#isNextAtOnce = isNextAtOnce
    return reason
  }

  /** Reads the record anew, and what its owner as last seen has. */
  async #look(): Promise<'done' | 'suspended' | 'unavailable'> {
    const asked = this.#sight.owner
    const { keys } = this.#context
    const success = sightReads(keys, keys.session(this.#wish.clientId), asked)
    const outcome = await this.#submit(() => ({ compare: [], success, failure: [] }))
    if (outcome.outcome === 'suspended') return 'suspended'
    if (outcome.outcome !== 'done') return 'unavailable'
    this.#sight = toSight(asked, outcome.result)
    return 'done'
  }

  #submit(write: () => CoordinationTransaction | undefined): Promise<BatchedOutcome> {
    const { batcher, clock } = this.#context
    return batcher.submit(this.#wish.clientId, write, clock.now() + CONTEST_MS)
  }

  /** Whether a write of unknown outcome was carried out: its revision, or undefined when it was not or cannot be known. */
  async #readBack(nonce: string): Promise<number | undefined> {
    if ((await this.#look()) !== 'done') return undefined
    const { owner, modRevision } = this.#sight
    return owner?.nonce === nonce ? modRevision : undefined
  }
}
