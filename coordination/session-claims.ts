/**
 * Session ownership: claims by compare-and-swap on the record of a client id, releases, and the owner's consent.
 *
 * It decides who owns; holding clients is the `SessionHolder`'s business. Invariant: a client id is in `#owned` only while
 * its record names this incarnation under that very token, and nobody has been given consent to take it. So a claim
 * that finds the record its own but the client id not in `#owned` (a write of unknown outcome, a consent nobody used)
 * rewrites it, whereupon any swap still on its way fails.
 */
import {
  compareTokens,
  type ClientId,
  type FencingToken,
  type Incarnation,
  type NodeId,
} from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { Random } from '../src/core/ports/random.ts'
import type { WillRecord } from '../src/core/ports/session-journal.ts'
import type { ClaimAnswer, ClaimRequest, SessionHolder } from '../src/core/ports/session-ownership.ts'
import { Admission } from './admission.ts'
import { ClaimBatcher } from './claim-batcher.ts'
import { ClaimContest, type ContestContext, type UnsettledWrites } from './claim-contest.ts'
import type { OwnedRecord } from './claim-owned.ts'
import { ClaimPolicy, type OwnerLostPolicy } from './claim-policy.ts'
import { reclaim } from './claim-reclaim.ts'
import { ClaimRewrites } from './claim-rewrites.ts'
import { newClaimStats, type ClaimStats } from './claim-stats.ts'
import type { CoordinationKeys } from './keys.ts'
import type { Membership } from './membership.ts'
import type { Presence } from './presence.ts'
import type { OwnedSession } from './session-readback.ts'
import { SessionReleases, type Release } from './session-releases.ts'
import { WillBudget } from './will-budget.ts'

interface ClaimsContext extends Pick<ContestContext, 'ask' | 'isStaged' | 'mayTakeFrom' | 'isNearlyFull'> {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly keys: CoordinationKeys
  readonly nodeId: NodeId
  readonly presence: Pick<Presence, 'isActive' | 'generation'>
  readonly membership: Pick<Membership, 'isLive' | 'list'>
  readonly onOwnerLost: OwnerLostPolicy
  /** How long state of a dead owner is waited for though it may be given up. */
  readonly ownerLostGraceMs: number
  /** Bytes of wills this node may keep in the store; undefined: 64 MiB. */
  readonly keptWillBytesMax?: number | undefined
  /** The store was replaced so lately that owners may not have claimed again what is theirs. */
  readonly isSettling?: () => boolean
  /** Whether nodes are waited for that may own sessions of which the store does not know since it was replaced. */
  readonly isAwaitingOwners?: () => boolean
}

export class SessionClaims {
  readonly stats: ClaimStats = newClaimStats()
  readonly #context: ClaimsContext
  readonly #contest: ContestContext
  readonly #releases: SessionReleases
  readonly #rewrites: ClaimRewrites
  readonly #policy: ClaimPolicy
  readonly #wills: WillBudget
  readonly #admission = new Admission(limits.claimsUnderWayMax, limits.claimsWaitingMax)
  readonly #owned = new Map<ClientId, OwnedRecord>()
  readonly #claiming = new Set<ClientId>()
  /** Of claims that were refused while a write of theirs may still be carried out. */
  readonly #unsettled = new Map<ClientId, UnsettledWrites>()
  #holder: SessionHolder | undefined
  #self: { readonly incarnation: Incarnation; readonly epoch: number } = { incarnation: 0, epoch: 0 }

  constructor(context: ClaimsContext) {
    const { clock, keys, nodeId, presence, membership, onOwnerLost, ownerLostGraceMs } = context
    this.#context = context
    this.#policy = new ClaimPolicy(clock, onOwnerLost, ownerLostGraceMs)
    const self = (): { readonly incarnation: Incarnation; readonly epoch: number } => this.#self
    const memberKey = (): string => keys.member(nodeId, this.#self.incarnation)
    const { stats } = this
    this.#wills = new WillBudget(context.keptWillBytesMax, context.logger, stats)
    const batcher = new ClaimBatcher(context, memberKey, stats)
    this.#contest = {
      ...context,
      batcher,
      stats,
      self,
      policy: this.#policy,
      isAwaitingOwners: () => context.isAwaitingOwners?.() === true,
      isHeld: clientId => this.#holder?.expiryOf(clientId) !== undefined,
      isActive: () => presence.isActive(),
      generation: () => presence.generation,
      isLive: (node, incarnation) => membership.isLive(node, incarnation),
      liveIncarnation: node => membership.list().find(member => member.nodeId === node)?.incarnation,
    }
    this.#rewrites = new ClaimRewrites({
      ...this.#contest,
      owned: clientId => this.#owned.get(clientId),
    })
    this.#releases = new SessionReleases(context, keys)
  }

  serve(holder: SessionHolder): void {
    this.#holder = holder
  }

  /** From now on claims are made under this name. */
  start(incarnation: Incarnation, epoch: number): void {
    this.#self = { incarnation, epoch }
  }

  /** The membership watch has something new. */
  onMembersChanged(): void {
    this.#policy.onMembersChanged(this.#context.membership.list())
  }

  /**
   * As `SessionOwnership.claim`. Thousands come at once and wait here: what one of them costs is the promises and objects it holds
   * meanwhile, so nothing is awaited that is not needed.
   */
  async claim(request: ClaimRequest): Promise<ClaimAnswer> {
    const { clientId } = request
    if (this.#claiming.has(clientId)) throw new Error(`client id claimed while a claim for it is under way`)
    if (!this.#context.presence.isActive()) return this.#refused('suspended')
    let isAdmitted = false
    this.#claiming.add(clientId)
    try {
      const owned = this.#owned.get(clientId)
      if (owned !== undefined) return await this.#keep(request, owned)
      if (this.#context.isSettling?.() === true) return this.#refused('unavailable')
      this.stats.claims++
      isAdmitted = this.#admission.tryEnter() || (await this.#admission.wait())
      if (!isAdmitted) return this.#refused('unavailable')
      if (this.#releases.isUnderWay(clientId)) await this.#releases.settled(clientId)
      const released = this.#releases.callBack(clientId)
      const will = this.#wills.take(request.will)
      const contest = new ClaimContest(this.#contest, request, will, this.#unsettled.get(clientId))
      const answer = await contest.run()
      if (answer.status === 'claimed') {
        this.#own(request, will, answer.token, released)
        return answer
      }
      this.#giveUp(clientId, will, contest.unsettled, released)
      return this.#refused(answer.reason)
    } finally {
      this.#claiming.delete(clientId)
      if (isAdmitted) this.#admission.leave()
    }
  }

  /** As `SessionOwnership.setWill`. */
  setWill(
    clientId: ClientId,
    token: FencingToken,
    will: WillRecord | undefined,
    dueAtMs?: number,
  ): Promise<boolean> {
    const owned = this.#ownedUnder(clientId, token)
    if (owned === undefined) return Promise.resolve(false)
    this.#wills.giveBack(owned.willBytes)
    const value = this.#wills.take(will, dueAtMs)
    owned.willBytes = value?.length ?? 0
    if (value !== undefined) return this.#rewrites.putWill(clientId, owned, value)
    if (owned.hasWill) this.#rewrites.deleteWill(clientId, owned)
    return Promise.resolve(true)
  }

  /** As `SessionOwnership.setExpiry`. */
  setExpiry(clientId: ClientId, token: FencingToken, seconds: number): void {
    const owned = this.#ownedUnder(clientId, token)
    if (owned !== undefined) this.#rewrites.setExpiry(clientId, owned, seconds)
  }

  /** As `SessionOwnership.release`. */
  release(clientId: ClientId, token: FencingToken): void {
    const owned = this.#owned.get(clientId)
    if (owned !== undefined && compareTokens(owned.token, token) !== 0) return
    this.#disown(clientId)
    this.#addRelease(clientId, this.#releaseOf(clientId, token, owned))
  }

  /** Whether another node may have the session. Not while it is owned under another token, or just being claimed. */
  mayLetGo(clientId: ClientId, token: FencingToken): boolean {
    if (this.#holder === undefined || this.#claiming.has(clientId)) return false
    const owned = this.#owned.get(clientId)
    return owned === undefined || compareTokens(owned.token, token) === 0
  }

  /**
   * Another node was told that it may have the session: it counts as owned here only after it was claimed again, which makes
   * the other's swap fail.
   */
  letGo(clientId: ClientId): void {
    this.#disown(clientId)
  }

  /** Whether a write of a refused claim may still be carried out. */
  isUnsettled(clientId: ClientId): boolean {
    return this.#unsettled.has(clientId)
  }

  /** Everything claimed and not given up. */
  owned(): OwnedSession[] {
    return Array.from(this.#owned, ([clientId, { token }]) => ({ clientId, token }))
  }

  /** Gives up sessions others have taken. */
  surrender(clientIds: readonly ClientId[]): void {
    for (const clientId of clientIds) {
      const owned = this.#disown(clientId)
      // Its record is another's, but its will is still this node's to clear away.
      if (owned?.hasWill === true) this.#addRelease(clientId, this.#releaseOf(clientId, owned.token, owned))
      this.#holder?.surrender(clientId)
    }
  }

  /**
   * After the store was restored or emptied, and `start` was called anew: writes the records of everything owned again, and
   * of what is on this node's disk without having been claimed in this life, or was just leaving it, under their tokens, and
   * the wills of what is owned; what has been given away only where the store has an older record of it. Answers what others own
   * by now, which the caller is to surrender; what was leaving is not among it, since its move finds that out. Rejects with
   * COORDINATION_UNAVAILABLE; repeating is harmless.
   */
  async reclaimAll(): Promise<ClientId[]> {
    const willOf = (clientId: ClientId, owned: OwnedRecord): Uint8Array | undefined =>
      this.#willOf(clientId, owned)
    const leaving = [...(this.#holder?.leaving() ?? [])]
    const given = new Set(leaving.flatMap(({ clientId, departure }) => (departure.isGiven ? clientId : [])))
    const isGiven = (clientId: ClientId): boolean => given.has(clientId)
    const kept = this.#unowned([...(this.#holder?.unclaimed() ?? []), ...leaving])
    const moving = new Set(leaving.map(({ clientId }) => clientId))
    // A claim that has begun is refused by now, and does not say who has the session.
    const begun = new Set([...this.#claiming].filter(clientId => !this.#owned.has(clientId)))
    const taken = await reclaim({ ...this.#contest, willOf, isGiven }, [...this.#owned, ...kept])
    return taken.filter(clientId => !moving.has(clientId) && !begun.has(clientId))
  }

  /** Sessions on this node's disk that it has not claimed in this life, and of which no claim of it can be under way. */
  unclaimed(): readonly OwnedSession[] {
    const isClaimed = ({ clientId }: OwnedSession): boolean =>
      this.#claiming.has(clientId) || this.#unsettled.has(clientId) || this.#owned.has(clientId)
    return [...(this.#holder?.unclaimed() ?? [])].filter(session => !isClaimed(session))
  }

  /** Sends the releases that wait. */
  close(): Promise<void> {
    this.#rewrites.close()
    return this.#releases.close()
  }

  /**
   * Clients here whose wills the leader has published, who took this life for dead: to be asked once it is registered again, when
   * no more can be. Rejects with COORDINATION_UNAVAILABLE.
   */
  async findPublishedWills(): Promise<readonly ClientId[]> {
    const isKept = ([clientId, { hasWill }]: [ClientId, OwnedRecord]): boolean =>
      hasWill && !this.#rewrites.isPending(clientId) && !this.#claiming.has(clientId)
    const kept = [...this.#owned].filter(isKept).map(([clientId]) => clientId)
    if (kept.length === 0) return []
    const { store, keys, nodeId } = this.#context
    const prefix = keys.willsOf(nodeId, this.#self.incarnation)
    const { entries } = await store.range(prefix)
    const there = new Set(entries.map(({ key }) => key.slice(prefix.length)))
    return kept.filter(clientId => !there.has(clientId))
  }

  #refused(reason: Extract<ClaimAnswer, { status: 'refused' }>['reason']): ClaimAnswer {
    this.stats.refused[reason]++
    return { status: 'refused', reason }
  }

  #disown(clientId: ClientId): OwnedRecord | undefined {
    const owned = this.#owned.get(clientId)
    this.#owned.delete(clientId)
    this.#wills.giveBack(owned?.willBytes ?? 0)
    return owned
  }

  /** Nothing here is claimed, but it is not to be taken for nobody's. Its will is pending here alone. */
  *#unowned(sessions: Iterable<OwnedSession>): Iterable<readonly [ClientId, OwnedRecord]> {
    for (const { clientId, token } of sessions) {
      const expirySeconds = this.#holder?.expiryOf(clientId) ?? 0
      const record = { token, modRevision: token.revision, expirySeconds, hasWill: false, willBytes: 0 }
      if (!this.#owned.has(clientId)) yield [clientId, record]
    }
  }

  /** The will of an owned session's client as it is now, to be kept again. */
  #willOf(clientId: ClientId, owned: OwnedRecord): Uint8Array | undefined {
    const kept = owned.hasWill ? this.#holder?.willOf(clientId) : undefined
    if (kept === undefined) return undefined
    this.#wills.giveBack(owned.willBytes)
    const value = this.#wills.take(kept.will, kept.dueAtMs)
    owned.willBytes = value?.length ?? 0
    return value
  }

  #ownedUnder(clientId: ClientId, token: FencingToken): OwnedRecord | undefined {
    const owned = this.#owned.get(clientId)
    return owned !== undefined && compareTokens(owned.token, token) === 0 ? owned : undefined
  }

  #releaseOf(clientId: ClientId, token: FencingToken, owned: OwnedRecord | undefined): Release {
    const { keys, nodeId } = this.#context
    const willKey = keys.will(nodeId, this.#self.incarnation, clientId)
    const modRevision = owned?.modRevision ?? token.revision
    return { token, modRevision, willKey: owned?.hasWill === true ? willKey : undefined }
  }

  #addRelease(clientId: ClientId, release: Release): void {
    if (this.#releases.add(clientId, release)) return
    this.#context.logger.debug('too many releases wait; a session record stays until it is claimed', {
      clientId,
    })
  }

  /** A session that is owned already: its record need not be asked for, only what it says may change. */
  async #keep(
    { clientId, will, expiryIntervalSeconds }: ClaimRequest,
    owned: OwnedRecord,
  ): Promise<ClaimAnswer> {
    const { token } = owned
    const isExpiryKept = this.#changeExpiry(clientId, owned, expiryIntervalSeconds)
    const isWillKept = await this.setWill(clientId, token, will)
    const isKept = (await isExpiryKept) && isWillKept
    if (!isKept || this.#owned.get(clientId) !== owned) return this.#refused('unavailable')
    return { status: 'claimed', token, resumableToken: token, isTransferred: false }
  }

  /**
   * Lazily, but where a record that says "ends with its connection" is concerned: anybody might take such a session from a
   * dead node at once, though its client had been told that it is kept.
   */
  async #changeExpiry(clientId: ClientId, owned: OwnedRecord, seconds: number): Promise<boolean> {
    if (seconds === this.#rewrites.expiryOf(clientId, owned)) return true
    if (owned.expirySeconds === 0) return this.#rewrites.putExpiry(clientId, owned, seconds)
    this.#rewrites.setExpiry(clientId, owned, seconds)
    return true
  }

  #own(
    { clientId, expiryIntervalSeconds }: ClaimRequest,
    will: Uint8Array | undefined,
    token: FencingToken,
    released: Release | undefined,
  ): void {
    const hasOldWill = will === undefined && released?.willKey !== undefined
    const hasWill = will !== undefined || hasOldWill
    const modRevision = token.revision
    const willBytes = will?.length ?? 0
    const owned = { token, modRevision, expirySeconds: expiryIntervalSeconds, hasWill, willBytes }
    this.#owned.set(clientId, owned)
    this.#unsettled.delete(clientId)
    if (hasOldWill) this.#rewrites.deleteWill(clientId, owned)
  }

  #giveUp(
    clientId: ClientId,
    will: Uint8Array | undefined,
    unsettled: UnsettledWrites,
    released: Release | undefined,
  ): void {
    this.#wills.giveBack(will?.length ?? 0)
    if (released !== undefined) this.#addRelease(clientId, released)
    const isRemembered = this.#unsettled.has(clientId) || this.#unsettled.size < limits.claimsWaitingMax
    if (unsettled.size > 0 && isRemembered) this.#unsettled.set(clientId, unsettled)
  }
}
