/**
 * The parts of a coordinator, put together: which of them hears of what another one does.
 *
 * It only wires: each rule lives in the part that keeps it, the order of a node's life in `coordinator.ts`. Parts call one
 * another only after all of them are there.
 */
import type { GrapevineError } from '../src/core/errors.ts'
import type { ClientId, FencingToken, Incarnation, NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { EpochMemory } from '../src/core/ports/epoch-memory.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { PeerTransport } from '../src/core/ports/peer-transport.ts'
import type { Random } from '../src/core/ports/random.ts'
import type { SubscriptionMode } from '../src/core/ports/subscription-mode.ts'
import type { OwnerLostPolicy } from './claim-policy.ts'
import { AwaitedOwners } from './awaited-owners.ts'
import { ClusterEpoch } from './cluster-epoch.ts'
import { CoordinationKeys } from './keys.ts'
import { LeaderDuties } from './leader-duties.ts'
import type { PublishWill } from './leader-wills.ts'
import { HandoffOwner } from './handoff-owner.ts'
import { KnownNodes } from './known-nodes.ts'
import { Leadership } from './leadership.ts'
import { LoadReport } from './load-report.ts'
import { Membership } from './membership.ts'
import { ModeDriver } from './mode-driver.ts'
import { ModeFollower } from './mode-follower.ts'
import type { NodeLeaseOptions } from './node-lease.ts'
import { ObservedStore } from './observed-store.ts'
import { OwnershipCheck } from './ownership-check.ts'
import { Presence } from './presence.ts'
import { Promises } from './promises.ts'
import { Registration } from './registration.ts'
import { RouteRecords } from './route-records.ts'
import { SessionChannel } from './session-channel.ts'
import { SessionClaims } from './session-claims.ts'
import { SessionHandoff } from './session-handoff.ts'
import { SessionTransfer } from './session-transfer.ts'
import { UnseenLives } from './unseen-lives.ts'

export interface CoordinatorPorts {
  readonly store: CoordinationStore
  /** Says when the store has no room for new persistent sessions. Without it there always is. */
  readonly storeSize?: { isNearQuota(): boolean }
  readonly transport: PeerTransport
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Undefined: what the store is at the start is what it always was. */
  readonly epochMemory?: EpochMemory
}

export interface CoordinatorOptions extends NodeLeaseOptions {
  readonly cluster: string
  readonly nodeId: NodeId
  /** Of the data directory whose lock this process holds: an earlier life on it is signed off without waiting. */
  readonly dataDirId?: string | undefined
  /** What becomes of state a dead node holds when its client comes to another. */
  readonly onOwnerLost: OwnerLostPolicy
  /** Bytes of wills this node keeps in the store at most; undefined: 64 MiB. */
  readonly keptWillBytesMax?: number | undefined
  /** How changes of subscriptions travel in a cluster that has not settled it yet; undefined: by gossip. */
  readonly initialMode?: SubscriptionMode | undefined
}

/** What the parts tell, and ask of, their coordinator. */
interface PartsListener {
  onMembersChanged(): void
  onKnownNodesChanged(): void
  onUnseenChanged(): void
  onLeaderChanged(leader: NodeId | undefined): void
  onSuspended(reason: string): void
  onResumed(lostClientIds: readonly ClientId[], wasAway: boolean): void
  onFailed(error: GrapevineError): void
  readonly publishWill: PublishWill
}

/** For nodes without a disk: they take every store for theirs. */
const FORGETFUL: EpochMemory = { load: () => Promise.resolve(undefined), save: () => {} }

export class CoordinatorParts {
  readonly keys: CoordinationKeys
  readonly store: ObservedStore
  readonly epoch: ClusterEpoch
  readonly registration: Registration
  readonly promises: Promises
  readonly presence: Presence
  readonly load: LoadReport
  readonly membership: Membership
  readonly unseen: UnseenLives
  readonly knownNodes: KnownNodes
  readonly leadership: Leadership
  readonly duties: LeaderDuties
  readonly mode: ModeFollower
  readonly modeDriver: ModeDriver
  readonly routes: RouteRecords
  readonly channel: SessionChannel
  readonly transfer: SessionTransfer
  readonly handoff: SessionHandoff
  readonly handoffOwner: HandoffOwner
  readonly claims: SessionClaims
  readonly ownershipCheck: OwnershipCheck

  constructor(ports: CoordinatorPorts, options: CoordinatorOptions, listener: PartsListener) {
    const { transport, clock, logger, epochMemory: memory = FORGETFUL } = ports
    const { nodeId, leaseTtlMs, leaseMarginMs } = options
    this.keys = new CoordinationKeys(options.cluster)
    this.store = new ObservedStore(ports.store, () => this.epoch.onRegressed())
    this.channel = new SessionChannel(transport, clock)
    const { channel } = this
    const context = { ...ports, store: this.store, keys: this.keys, nodeId, channel }
    const owners = new AwaitedOwners(nodeId)
    const observeOwners = (): void => {
      if (owners.observe(this.membership.list(), this.knownNodes.retired)) this.epoch.noteOwners()
    }
    this.epoch = new ClusterEpoch(
      { ...context, memory, owners, key: this.keys.epoch, revision: () => this.store.revision },
      { onReplaced: reason => this.presence.onStoreReplaced(reason) },
    )
    this.registration = new Registration({ ...context, dataDirId: options.dataDirId })
    this.promises = new Promises(
      context,
      { promiseMs: leaseTtlMs, marginMs: leaseMarginMs },
      {
        epoch: () => this.epoch.current,
        isProvenDead: earlier => this.registration.isProvenDead(earlier),
        onExtended: () => this.presence.onPromisesExtended(),
        onLapsed: () => this.membership.dropLapsed(),
      },
    )
    this.load = new LoadReport(clock, change => this.presence.describe(change))
    this.presence = new Presence(context, options, this.registration, this.promises, {
      onSuspended: reason => listener.onSuspended(reason),
      onResumed: (lost, wasAway) => listener.onResumed(lost, wasAway),
      onFailed: error => listener.onFailed(error),
      findLost: () => this.ownershipCheck.findLost(),
      settleEpoch: () => this.epoch.settle(),
    })
    this.membership = new Membership(this.keys, logger, {
      onRegistered: (member, revision) => this.promises.onRegistered(member, revision),
      isPromised: (life, incarnation) => this.promises.isPromised(life, incarnation),
      onChanged: () => {
        const members = this.membership.list()
        this.promises.onMembersChanged(members)
        this.claims.onMembersChanged()
        this.duties.onMembersChanged(members)
        this.handoff.onMembersChanged(members)
        this.unseen.onMembersChanged()
        observeOwners()
        listener.onMembersChanged()
      },
      onKeyAbsent: (key, revision) => {
        if (key === this.registration.key) this.presence.onKeyAbsent(revision)
      },
    })
    this.unseen = new UnseenLives(
      {
        ...context,
        promiseMs: leaseTtlMs,
        members: () => this.membership.list(),
        mayTakeFrom: (life, incarnation) => this.promises.mayTakeFrom(life, incarnation),
      },
      () => listener.onUnseenChanged(),
    )
    this.knownNodes = new KnownNodes({ ...context, epoch: () => this.epoch.current }, () => {
      observeOwners()
      listener.onKnownNodesChanged()
    })
    this.duties = new LeaderDuties({
      ...context,
      signs: {
        isLive: (life, incarnation) => this.membership.isLive(life, incarnation),
        liveIncarnation: life => this.membership.list().find(member => member.nodeId === life)?.incarnation,
        mayTakeFrom: (life, incarnation) => this.promises.mayTakeFrom(life, incarnation),
      },
      publish: will => listener.publishWill(will),
    })
    this.leadership = new Leadership(context, {
      onChanged: term => listener.onLeaderChanged(term?.leader),
      onElected: term => {
        this.duties.begin(term)
        this.modeDriver.begin(term)
      },
      onDeposed: () => {
        this.duties.end()
        this.modeDriver.end()
      },
    })
    const incarnation = (): Incarnation => this.registration.incarnation
    const leaseId = (): string | undefined => (this.presence.isActive() ? this.presence.leaseId : undefined)
    this.mode = new ModeFollower({
      ...context,
      incarnation,
      leaseId,
      members: () => this.membership.list(),
      initialMode: options.initialMode ?? 'gossip',
    })
    this.modeDriver = new ModeDriver({
      ...context,
      follower: this.mode,
      isStoreFull: () => ports.storeSize?.isNearQuota() ?? false,
    })
    this.routes = new RouteRecords({ ...context, incarnation, leaseId })
    const rules = {
      mayLeave: (clientId: ClientId, token: FencingToken): boolean => this.claims.mayLetGo(clientId, token),
      consented: (clientId: ClientId): void => this.claims.letGo(clientId),
    }
    const isSettling = (): boolean => this.epoch.isSettling(leaseTtlMs)
    this.transfer = new SessionTransfer(
      { ...context, ownIncarnation: incarnation, isActive: () => this.presence.isActive(), isSettling },
      rules,
    )
    const handoff = {
      ...context,
      ownIncarnation: incarnation,
      leaseId,
      others: () => this.membership.list().filter(member => member.nodeId !== nodeId),
    }
    this.handoff = new SessionHandoff(handoff, (...question) => this.transfer.ask(...question))
    this.handoffOwner = new HandoffOwner(handoff, this.transfer, rules)
    this.claims = new SessionClaims({
      ...context,
      presence: this.presence,
      membership: this.membership,
      onOwnerLost: options.onOwnerLost,
      ownerLostGraceMs: leaseTtlMs,
      keptWillBytesMax: options.keptWillBytesMax,
      isSettling,
      mayTakeFrom: (life, incarnation) => this.promises.mayTakeFrom(life, incarnation),
      isNearlyFull: () => ports.storeSize?.isNearQuota() ?? false,
      isAwaitingOwners: () => options.onOwnerLost === 'wait' && this.epoch.awaited.length > 0,
      isStaged: clientId => this.transfer.isStaged(clientId),
      ask: (owner, request, token, withinMs) => this.handoff.ask(owner, request, token, withinMs),
    })
    const { epoch, registration, presence, promises, claims } = this
    this.ownershipCheck = new OwnershipCheck({
      ...context,
      ...{ leaseTtlMs, epoch, registration, presence, promises, claims },
    })
  }
}
