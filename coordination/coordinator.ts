/**
 * A node's part in the cluster: membership, leadership and session ownership, composed over one coordination store.
 *
 * It passes events between its parts and to its listeners; each rule lives in the part that keeps it. It does not open
 * links: who listens to `onMembersChanged` tells the transport. It closes neither store nor transport.
 */
import { errorMessage, type GrapevineError } from '../src/core/errors.ts'
import type { ClientId, FencingToken, Incarnation, NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { Member, MemberDescription, MemberState } from '../src/core/ports/membership.ts'
import type { PeerTransport } from '../src/core/ports/peer-transport.ts'
import type { Random } from '../src/core/ports/random.ts'
import type { ClaimAnswer, SessionHolder, SessionOwnership } from '../src/core/ports/session-ownership.ts'
import { readOrCreateEpoch } from './cluster-epoch.ts'
import { CoordinationKeys } from './keys.ts'
import { Leadership } from './leadership.ts'
import { Membership } from './membership.ts'
import type { NodeLeaseOptions } from './node-lease.ts'
import { Presence } from './presence.ts'
import { leftMeanwhile, Registration } from './registration.ts'
import { SessionClaims } from './session-claims.ts'
import { SessionConsent } from './session-consent.ts'
import { findSuperseded, type OwnedSession } from './session-readback.ts'
import { persistently } from './store-calls.ts'

export interface CoordinatorPorts {
  readonly store: CoordinationStore
  readonly transport: PeerTransport
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

export interface CoordinatorOptions extends NodeLeaseOptions {
  readonly cluster: string
  readonly nodeId: NodeId
}

/** Called from `join` on until `leave`. */
export interface CoordinatorListener {
  /** Live members, self included, sorted by node id. */
  onMembersChanged?(members: readonly Member[]): void
  onLeaderChanged?(leader: NodeId | undefined): void
  /** This node may no longer acknowledge; `reason` is for operators. */
  onSuspended?(reason: string): void
  /** It may again. The sessions named were taken by others meanwhile and have been surrendered. */
  onResumed?(lostClientIds: readonly ClientId[]): void
  /** Another process has taken this node's id: this one stays suspended for ever and should stop. */
  onFailed?(error: GrapevineError): void
}

/** How long reading stored sessions back may take at the start. */
const VERIFY_PATIENCE_MS = 30_000

export class Coordinator implements SessionOwnership {
  readonly #ports: CoordinatorPorts
  readonly #options: CoordinatorOptions
  readonly #keys: CoordinationKeys
  readonly #registration: Registration
  readonly #presence: Presence
  readonly #membership: Membership
  readonly #leadership: Leadership
  readonly #claims: SessionClaims
  readonly #consent: SessionConsent
  readonly #listeners: CoordinatorListener[] = []
  #isJoined = false
  #hasLeft = false

  constructor(ports: CoordinatorPorts, options: CoordinatorOptions) {
    const { transport, clock, logger } = ports
    this.#ports = ports
    this.#options = options
    this.#keys = new CoordinationKeys(options.cluster)
    const context = { ...ports, keys: this.#keys, nodeId: options.nodeId }
    this.#registration = new Registration(context)
    this.#presence = new Presence(ports, options, this.#registration, {
      onSuspended: reason => this.#emit(listener => listener.onSuspended?.(reason)),
      onResumed: lost => this.#onResumed(lost),
      onFailed: error => this.#onFailed(error),
      findLost: () => findSuperseded(ports.store, this.#keys, this.#claims.owned()),
    })
    this.#membership = new Membership(this.#keys, logger, {
      onChanged: () => this.#emit(listener => listener.onMembersChanged?.(this.members)),
      onKeyAbsent: (key, revision) => {
        if (key === this.#registration.key) this.#presence.onKeyAbsent(revision)
      },
    })
    this.#leadership = new Leadership(context, leader =>
      this.#emit(listener => listener.onLeaderChanged?.(leader)),
    )
    this.#consent = new SessionConsent(
      { transport, clock },
      () => this.incarnation,
      (clientId, token) => this.#claims.judge(clientId, token),
    )
    this.#claims = new SessionClaims({
      ...context,
      presence: this.#presence,
      membership: this.#membership,
      ask: (owner, clientId, token, withinMs) => this.#consent.ask(owner, clientId, token, withinMs),
    })
  }

  /**
   * Makes this node a member; answers its incarnation. A life of the same node that died without leaving is waited for,
   * one lease TTL and a little. Throws NODE_ID_TAKEN when it lives on, COORDINATION_UNAVAILABLE when the store does not
   * answer, COORDINATION_CLOSED when `leave` is called meanwhile.
   */
  async join(description: MemberDescription): Promise<Incarnation> {
    const { store } = this.#ports
    const patienceMs = this.#options.leaseTtlMs
    const epoch = await persistently(this.#ports, patienceMs, () =>
      readOrCreateEpoch(this.#ports, this.#keys.epoch),
    )
    await this.#presence.join(description)
    this.#claims.start(this.incarnation, epoch)
    await this.#membership.start(store, this.#registration.key)
    if (this.#hasLeft) throw leftMeanwhile()
    this.#leadership.start({
      nodeId: this.#options.nodeId,
      memberKey: this.#registration.key,
      leaseId: () => (this.#presence.isActive() ? this.#presence.leaseId : undefined),
    })
    this.#isJoined = true
    return this.incarnation
  }

  /** Tells the other members; written in the background until it is there. */
  setState(state: MemberState): void {
    this.#presence.setState(state)
  }

  /** 0 before `join`. */
  get incarnation(): Incarnation {
    return this.#registration.incarnation
  }

  /** Live members as last known, sorted by node id; self always among them once it has joined. */
  get members(): readonly Member[] {
    const { nodeId } = this.#options
    const others = this.#membership.list().filter(member => member.nodeId !== nodeId)
    const description = this.#registration.description
    if (description === undefined || this.incarnation === 0) return others
    const self = { nodeId, incarnation: this.incarnation, ...description }
    return [...others, self].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
  }

  get leader(): NodeId | undefined {
    return this.#leadership.leader
  }

  get isSuspended(): boolean {
    return !this.#presence.isActive()
  }

  addListener(listener: CoordinatorListener): void {
    this.#listeners.push(listener)
  }

  /** Names who gives sessions up when another node asks. */
  serve(holder: SessionHolder): void {
    this.#claims.serve(holder)
  }

  claim(clientId: ClientId): Promise<ClaimAnswer> {
    return this.#claims.claim(clientId)
  }

  release(clientId: ClientId, token: FencingToken): void {
    this.#claims.release(clientId, token)
  }

  mayAcknowledge(): boolean {
    return this.#presence.isActive()
  }

  /**
   * Which of the sessions stored by earlier lives were superseded meanwhile and must be discarded: their record is gone
   * or carries another token. Rejects with COORDINATION_UNAVAILABLE.
   */
  verifyStored(sessions: readonly OwnedSession[]): Promise<ClientId[]> {
    return persistently(this.#ports, VERIFY_PATIENCE_MS, () =>
      findSuperseded(this.#ports.store, this.#keys, sessions),
    )
  }

  /** Leaves the cluster: member key and leadership vanish at once. Never rejects; idempotent. */
  async leave(): Promise<void> {
    this.#isJoined = false
    this.#hasLeft = true
    this.#leadership.close()
    this.#membership.close()
    this.#consent.close()
    await this.#claims.close()
    try {
      await this.#presence.leave()
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

  #onResumed(lost: readonly ClientId[]): void {
    this.#claims.surrender(lost)
    this.#emit(listener => listener.onResumed?.(lost))
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
