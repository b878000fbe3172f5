/**
 * A node's part in the cluster: membership, leadership and session ownership, composed over one coordination store.
 *
 * It passes events between its parts and to its listeners; each rule lives in the part that keeps it. It does not open
 * links: who listens to `onMembersChanged` tells the transport. It closes neither store nor transport.
 */
import { errorMessage, type GrapevineError } from '../src/core/errors.ts'
import type { ClientId, FencingToken, Incarnation, NodeId } from '../src/core/ids.ts'
import type { Member, MemberDescription, MemberLoad, MemberState } from '../src/core/ports/membership.ts'
import type { LeaderCensus, LeaderStatus } from '../src/core/ports/node-control.ts'
import type { WillRecord } from '../src/core/ports/session-journal.ts'
import type {
  ClaimAnswer,
  ClaimRequest,
  SessionHolder,
  SessionOwnership,
} from '../src/core/ports/session-ownership.ts'
import type { ClaimStats } from './claim-stats.ts'
import { CoordinatorParts, type CoordinatorOptions, type CoordinatorPorts } from './coordinator-parts.ts'
import { encodeDrained } from './leader-deaths.ts'
import type { LeaderDuties } from './leader-duties.ts'
import type { PublishWill } from './leader-wills.ts'
import type { LeadershipStats } from './leadership.ts'
import type { ModeFollower } from './mode-follower.ts'
import type { PromiseStats } from './promises.ts'
import { leftMeanwhile } from './registration.ts'
import type { RouteRecords } from './route-records.ts'
import type { OwnedSession } from './session-readback.ts'
import type { SessionHandoff } from './session-handoff.ts'
import type { SessionTransfer, StagedSession } from './session-transfer.ts'
import { isPresent, persistently } from './store-calls.ts'

/** Called from `join` on until `leave`. */
export interface CoordinatorListener {
  /** Live members, self included, sorted by node id. */
  onMembersChanged?(members: readonly Member[]): void
  /** `absentNodes` or `retiredNodes` changed. */
  onKnownNodesChanged?(): void
  /** `unseenLives` changed. */
  onUnseenChanged?(): void
  onLeaderChanged?(leader: NodeId | undefined): void
  /** This node may no longer acknowledge; `reason` is for operators. */
  onSuspended?(reason: string): void
  /** It may again. The sessions named were taken by others meanwhile and have been surrendered. */
  onResumed?(lostClientIds: readonly ClientId[], wasAway: boolean): void
  /** Another process has taken this node's id: this one stays suspended for ever and should stop. */
  onFailed?(error: GrapevineError): void
}

/** How long reading stored sessions back may take at the start. */
const VERIFY_PATIENCE_MS = 30_000

export class Coordinator implements SessionOwnership {
  readonly #ports: CoordinatorPorts
  readonly #options: CoordinatorOptions
  readonly #parts: CoordinatorParts
  #holder: SessionHolder | undefined
  readonly #listeners: CoordinatorListener[] = []
  #publishWill: PublishWill = () => Promise.reject(new Error('nobody publishes wills yet'))
  #isJoined = false
  #hasLeft = false

  constructor(ports: CoordinatorPorts, options: CoordinatorOptions) {
    this.#ports = ports
    this.#options = options
    this.#parts = new CoordinatorParts(ports, options, {
      onMembersChanged: () => this.#emit(listener => listener.onMembersChanged?.(this.members)),
      onKnownNodesChanged: () => this.#emit(listener => listener.onKnownNodesChanged?.()),
      onUnseenChanged: () => this.#emit(listener => listener.onUnseenChanged?.()),
      onLeaderChanged: leader => this.#emit(listener => listener.onLeaderChanged?.(leader)),
      onSuspended: reason => this.#emit(listener => listener.onSuspended?.(reason)),
      onResumed: (lost, wasAway) => this.#onResumed(lost, wasAway),
      onFailed: error => this.#onFailed(error),
      publishWill: will => this.#publishWill(will),
    })
  }

  /**
   * Makes this node a member; answers its incarnation. A life of the same node that died without leaving is waited for,
   * one lease TTL and a little. Throws NODE_ID_TAKEN when it lives on, COORDINATION_UNAVAILABLE when the store does not
   * answer, COORDINATION_CLOSED when `leave` is called meanwhile.
   */
  async join(description: MemberDescription): Promise<Incarnation> {
    await this.#parts.epoch.load()
    await persistently(this.#ports, this.#options.leaseTtlMs, () => this.#parts.epoch.settle())
    const { current, claimed } = this.#parts.epoch
    await this.#parts.presence.join({ ...description, claimedEpoch: claimed }, current)
    this.#parts.claims.start(this.incarnation, this.#parts.epoch.current)
    this.#parts.promises.start(this.incarnation)
    this.#parts.epoch.start()
    await this.#parts.membership.start(this.#parts.store, this.#parts.registration.key)
    // After the members: whoever is known and comes between the two is taken for absent until the next event tells.
    if (!this.#hasLeft) await this.#parts.knownNodes.start()
    if (!this.#hasLeft) await this.#parts.mode.start()
    if (this.#hasLeft) throw leftMeanwhile()
    this.#parts.leadership.start({
      nodeId: this.#options.nodeId,
      memberKey: this.#parts.registration.key,
      leaseId: () => (this.#parts.presence.isActive() ? this.#parts.presence.leaseId : undefined),
    })
    this.#isJoined = true
    this.#parts.unseen.start()
    return this.incarnation
  }

  /** Tells the other members; written in the background until it is there. */
  setState(state: MemberState): void {
    this.#parts.presence.describe({ state })
  }

  /** Tells the other members how much this node has to do; at most every 15 s, and only when it changed noticeably. */
  setLoad(load: MemberLoad): void {
    if (this.#isJoined) this.#parts.load.set(load)
  }

  /** Tells the other members what ails this node; empty: nothing. */
  setHealth(health: string): void {
    if (this.#isJoined) this.#parts.presence.describe({ health })
  }

  /** Of the coordination store, as this node knows it; rises when its content was replaced. 0 before `join`. */
  get epoch(): number {
    return this.#parts.epoch.current
  }

  /** Goes on without its lease, by the promises of the other members. */
  get isPromised(): boolean {
    return this.#parts.presence.isPromised
  }

  /** 0 before `join`. */
  get incarnation(): Incarnation {
    return this.#parts.registration.incarnation
  }

  /** Live members as last known, sorted by node id; self always among them once it has joined. */
  get members(): readonly Member[] {
    const { nodeId } = this.#options
    const others = this.#parts.membership.list().filter(member => member.nodeId !== nodeId)
    const description = this.#parts.registration.description
    if (description === undefined || this.incarnation === 0) return others
    const self = { nodeId, incarnation: this.incarnation, ...description }
    return [...others, self].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
  }

  /** Nodes that were members before and are not now, as far as their return is to be expected. */
  get absentNodes(): readonly NodeId[] {
    const live = new Set(this.members.map(({ nodeId }) => nodeId))
    const known = new Set([...this.#parts.knownNodes.known, ...this.#parts.epoch.awaited])
    return [...known].filter(nodeId => !live.has(nodeId))
  }

  /** Lives that may act though they are no members here and know nothing of this node, by names that only tell them apart. */
  get unseenLives(): readonly string[] {
    return this.#parts.unseen.list
  }

  /** Which life of a node, live or dead, was the last that registered, as far as it is known. */
  lastIncarnationOf(nodeId: NodeId): Incarnation | undefined {
    return this.#parts.knownNodes.incarnationOf(nodeId)
  }

  /** Nodes for which nothing need be kept while they are no members: they left holding nothing, or were given up. */
  get retiredNodes(): ReadonlySet<NodeId> {
    return this.#parts.knownNodes.retired
  }

  /** Gives a node up, for all members. Rejects with COORDINATION_UNAVAILABLE when it may or may not have been done. */
  retire(nodeId: NodeId): Promise<'retired' | 'member'> {
    return this.#parts.knownNodes.retire(nodeId)
  }

  /** How often other owners were asked for sessions, and what they said. */
  get sessionAsks(): Readonly<SessionTransfer['asks']> {
    return this.#parts.transfer.asks
  }

  /** Of those, what went through the coordination store for want of a link. */
  get sessionHandoffs(): Readonly<SessionHandoff['stats']> {
    return this.#parts.handoff.stats
  }

  /** Links closed because a member sent more about sessions than it may. */
  get sessionFloods(): number {
    return this.#parts.channel.flooded
  }

  /** Promises asked of other members, and given to them. */
  get promiseStats(): Readonly<PromiseStats> {
    return this.#parts.promises.stats
  }

  get leader(): NodeId | undefined {
    return this.#parts.leadership.leader
  }

  /** The present term and those before, as this node saw them. */
  get leadership(): LeaderStatus {
    const { current, previous } = this.#parts.leadership
    return { leader: current?.leader, term: current?.term, sinceMs: current?.sinceMs, previous }
  }

  get isLeading(): boolean {
    return this.#parts.leadership.isLeading
  }

  /** Ms since this node learned of the present term; 0 without a leader. */
  termAgeMs(): number {
    const { current } = this.#parts.leadership
    return current === undefined ? 0 : Math.max(0, this.#ports.clock.wallNow() - current.sinceMs)
  }

  /** What the leader has counted; undefined on other nodes. */
  get census(): LeaderCensus | undefined {
    return this.#parts.duties.census
  }

  get leaderStats(): LeadershipStats & LeaderDuties['stats'] {
    return { ...this.#parts.leadership.stats, ...this.#parts.duties.stats }
  }

  /** How changes of subscriptions travel in this cluster. Known once the node has joined. */
  get mode(): ModeFollower {
    return this.#parts.mode
  }

  /** Where the lives of this cluster keep their interest while it travels through the coordination store. */
  get routes(): RouteRecords {
    return this.#parts.routes
  }

  /** Lets another member lead, and campaigns no more until `stand`. */
  resign(): void {
    this.#parts.leadership.resign()
  }

  stand(): void {
    this.#parts.leadership.stand()
  }

  get isSuspended(): boolean {
    return !this.#parts.presence.isActive()
  }

  addListener(listener: CoordinatorListener): void {
    this.#listeners.push(listener)
  }

  /** Names who gives sessions up when another node asks. */
  serve(holder: SessionHolder): void {
    this.#holder = holder
    this.#parts.claims.serve(holder)
    this.#parts.transfer.serve(holder)
    this.#parts.handoffOwner.serve(holder)
    this.#parts.ownershipCheck.serve(holder)
  }

  /** Names who publishes the wills of dead nodes' clients while this node leads. */
  serveWills(publish: PublishWill): void {
    this.#publishWill = publish
  }

  async claim(request: ClaimRequest): Promise<ClaimAnswer> {
    const answer = await this.#parts.claims.claim(request)
    const { clientId } = request
    if (answer.status === 'claimed' && answer.isTransferred) this.#parts.transfer.taken(clientId)
    // A write of unknown outcome may yet make this node the owner of what is staged.
    else if (!this.#parts.claims.isUnsettled(clientId)) this.#parts.transfer.discardStaged(clientId)
    return answer
  }

  async offer(clientId: ClientId, nodeId: NodeId): Promise<boolean> {
    const expirySeconds = this.#holder?.expiryOf(clientId)
    return expirySeconds !== undefined && (await this.#parts.transfer.offer(clientId, nodeId, expirySeconds))
  }

  setWill(
    clientId: ClientId,
    token: FencingToken,
    will: WillRecord | undefined,
    dueAtMs?: number,
  ): Promise<boolean> {
    return this.#parts.claims.setWill(clientId, token, will, dueAtMs)
  }

  setExpiry(clientId: ClientId, token: FencingToken, seconds: number): void {
    this.#parts.claims.setExpiry(clientId, token, seconds)
  }

  get claimStats(): Readonly<ClaimStats> {
    return this.#parts.claims.stats
  }

  release(clientId: ClientId, token: FencingToken): void {
    this.#parts.claims.release(clientId, token)
  }

  mayAcknowledge(): boolean {
    return this.#parts.presence.isActive()
  }

  /**
   * Which of the sessions stored by earlier lives were superseded meanwhile and must be discarded: their record is gone
   * or carries another token, unless an earlier life of this node claimed them again and died before its disk had that. Where the
   * store was replaced since this node last saw it, or is while they are looked up, a record that is gone says nothing: it is
   * written again, unless others have claimed the session. Rejects with COORDINATION_UNAVAILABLE.
   */
  verifyStored(sessions: readonly OwnedSession[]): Promise<ClientId[]> {
    const { ownershipCheck } = this.#parts
    return persistently(this.#ports, VERIFY_PATIENCE_MS, () => ownershipCheck.findSuperseded(sessions))
  }

  /**
   * Of the sessions that were staged when an earlier life ended, the tokens of those whose swap it made: they are this
   * node's. The others are to be discarded. Rejects with COORDINATION_UNAVAILABLE.
   */
  async verifyStaged(sessions: readonly StagedSession[]): Promise<ReadonlyMap<ClientId, FencingToken>> {
    const tokens = new Map<ClientId, FencingToken>()
    for (const { clientId, from } of sessions) {
      const token = await persistently(this.#ports, VERIFY_PATIENCE_MS, () =>
        this.#parts.transfer.outcomes.tokenOfStaged(clientId, from),
      )
      if (token !== undefined) tokens.set(clientId, token)
    }
    return tokens
  }

  /**
   * Takes up the moves of sessions that an earlier life left half done, and answers nodes without a link who ask for sessions.
   * Once it is known what is stored and staged here, and links may come up.
   */
  resumeMoves(): void {
    this.#parts.transfer.resume()
    this.#parts.handoffOwner.start(this.incarnation)
  }

  /**
   * Leaves the cluster: member key and leadership vanish at once. `isDrained`: no session is left on this node's disk, so
   * that nobody need wait for it. Never rejects; idempotent.
   */
  async leave(isDrained = false): Promise<void> {
    this.#isJoined = false
    this.#hasLeft = true
    this.#parts.leadership.close()
    this.#parts.membership.close()
    this.#parts.knownNodes.close()
    this.#parts.unseen.stop()
    this.#parts.epoch.close()
    this.#parts.promises.stop()
    this.#parts.load.stop()
    this.#parts.handoff.close()
    this.#parts.handoffOwner.close()
    this.#parts.transfer.close()
    this.#parts.mode.close()
    this.#parts.routes.close()
    await this.#parts.claims.close()
    if (isDrained) await this.#noteDrained()
    try {
      await this.#parts.presence.leave()
      await this.#parts.promises.withdraw()
    } catch (error) {
      this.#ports.logger.warn(
        'could not sign off from the coordination store; the others notice when the lease runs out',
        {
          leaseTtlMs: this.#options.leaseTtlMs,
          reason: errorMessage(error),
        },
      )
    }
  }

  /** Not written when the store does not answer: the leader notes the death then. */
  async #noteDrained(): Promise<void> {
    const { store, clock } = this.#ports
    const key = this.#parts.keys.dead(this.#options.nodeId, this.incarnation)
    const { compare, operation } = this.#parts.registration.retirement()
    await store.transact({
      compare: [isPresent(this.#parts.registration.key), compare],
      success: [{ type: 'put', key, value: encodeDrained(clock.wallNow()) }, operation],
      failure: [],
    })
  }

  #onResumed(lost: readonly ClientId[], wasAway: boolean): void {
    this.#parts.claims.surrender(lost)
    this.#parts.ownershipCheck.resumed()
    this.#emit(listener => listener.onResumed?.(lost, wasAway))
  }

  #onFailed(error: GrapevineError): void {
    this.#ports.logger.error(error.message)
    this.#emit(listener => listener.onFailed?.(error))
  }

  #emit(call: (listener: CoordinatorListener) => void): void {
    if (!this.#isJoined) return
    for (const listener of this.#listeners) call(listener)
  }
}
