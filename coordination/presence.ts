/**
 * Whether this node may act as a member right now: its lease and its registration together.
 *
 * It suspends the node before the lease can have expired, and brings it back: when the lease turns out to be alive, at
 * once; when it was lost, by registering again under the same incarnation and finding out which sessions were taken.
 * Invariant: `isActive` answers true only while the lease is held and everything claimed under it is still this node's.
 * `generation` changes whenever the lease was lost, so that whoever waited for an answer meanwhile does not trust it.
 */
import { errorMessage, GrapevineError } from '../src/core/errors.ts'
import type { ClientId } from '../src/core/ids.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { MemberDescription, MemberState } from '../src/core/ports/membership.ts'
import type { Random } from '../src/core/ports/random.ts'
import { Backoff } from './backoff.ts'
import { NodeLease, type NodeLeaseOptions } from './node-lease.ts'
import { leftMeanwhile, type Registration } from './registration.ts'
import { persistently } from './store-calls.ts'

export interface PresenceListener {
  onSuspended(reason: string): void
  /** After the sessions of `lostClientIds` were given up. */
  onResumed(lostClientIds: readonly ClientId[]): void
  /** This life of the node can never act again. */
  onFailed(error: GrapevineError): void
  /** The lease is lost: what was claimed may be taken by others from now on. Answers, when asked, what was. */
  findLost(): Promise<readonly ClientId[]>
}

interface PresenceContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

type Phase = 'outside' | 'active' | 'recovering' | 'failed' | 'left'

/** How long a joining node tolerates a store that does not answer. */
const JOIN_PATIENCE_MS = 10_000

export class Presence {
  readonly #context: PresenceContext
  readonly #options: NodeLeaseOptions
  readonly #registration: Registration
  readonly #listener: PresenceListener
  readonly #lease: NodeLease
  #phase: Phase = 'outside'
  #isSuspended = false
  #generation = 0
  #watchdog: Timer | undefined

  constructor(
    context: PresenceContext,
    options: NodeLeaseOptions,
    registration: Registration,
    listener: PresenceListener,
  ) {
    this.#context = context
    this.#options = options
    this.#registration = registration
    this.#listener = listener
    this.#lease = new NodeLease(context, options, {
      onExtended: () => this.#onExtended(),
      onExpired: () => this.#onLost('the coordination store says the lease has expired'),
    })
  }

  get generation(): number {
    return this.#generation
  }

  get leaseId(): string | undefined {
    return this.#lease.leaseId
  }

  isActive(): boolean {
    if (this.#phase !== 'active') return false
    if (this.#lease.isHeld()) return true
    // Noticed here before the timer fired, or by the wall clock alone: listeners are told outside this call.
    if (!this.#isSuspended) this.#context.clock.defer(() => this.#checkDeadline())
    return false
  }

  /** Throws NODE_ID_TAKEN, COORDINATION_UNAVAILABLE, or COORDINATION_CLOSED when the node leaves meanwhile. */
  async join(description: MemberDescription): Promise<void> {
    this.#registration.describe(description)
    try {
      await persistently(this.#context, JOIN_PATIENCE_MS, () =>
        this.#registration.allocate(this.#options.leaseTtlMs),
      )
      await persistently(this.#context, JOIN_PATIENCE_MS, async () => {
        if (this.#phase === 'left') throw leftMeanwhile()
        if (!this.#lease.isHeld()) await this.#lease.grant()
        if (this.#lease.leaseId !== undefined) await this.#registration.register(this.#lease.leaseId)
      })
      if (this.#phase === 'left') throw leftMeanwhile()
    } catch (error) {
      this.#lease.abandon()
      throw error
    }
    this.#phase = 'active'
    this.#armWatchdog()
  }

  setState(state: MemberState): void {
    this.#registration.setState(state, () => (this.#phase === 'active' ? this.#lease.leaseId : undefined))
  }

  /** The member key was seen to be absent at `revision`: after our last write, somebody revoked the lease. */
  onKeyAbsent(revision: number): void {
    if (this.#phase !== 'active' || revision <= this.#registration.revision) return
    this.#lease.abandon()
    this.#onLost('the member key of this node vanished from the coordination store')
  }

  /** Rejects when the lease could not be revoked. */
  async leave(): Promise<void> {
    this.#phase = 'left'
    this.#registration.stop()
    this.#watchdog?.cancel()
    await this.#lease.leave()
  }

  #onExtended(): void {
    this.#armWatchdog()
    if (this.#phase === 'active' && this.#isSuspended && this.#lease.isHeld()) this.#resume([])
  }

  #onLost(reason: string): void {
    if (this.#phase !== 'active') return
    this.#phase = 'recovering'
    this.#generation++
    this.#suspend(reason)
    void this.#recover()
  }

  #armWatchdog(): void {
    this.#watchdog?.cancel()
    const { clock } = this.#context
    const delayMs = Math.max(0, this.#lease.deadlineMs - clock.now())
    this.#watchdog = clock.schedule(delayMs, () => this.#checkDeadline())
  }

  #checkDeadline(): void {
    if (this.#phase !== 'active' || this.#lease.isHeld()) return
    this.#suspend('the lease could not be renewed in time')
  }

  #suspend(reason: string): void {
    if (this.#isSuspended) return
    this.#isSuspended = true
    this.#listener.onSuspended(reason)
  }

  #resume(lost: readonly ClientId[]): void {
    this.#isSuspended = false
    this.#listener.onResumed(lost)
  }

  /** Registers again until it succeeds, the node leaves, or another life has taken its place. Never rejects. */
  async #recover(): Promise<void> {
    const { clock, random, logger } = this.#context
    const backoff = new Backoff(clock, random, 100, 2000)
    while (this.#phase === 'recovering') {
      try {
        if (await this.#tryRecover()) return
      } catch (error) {
        if (error instanceof GrapevineError && error.code === 'NODE_ID_TAKEN') {
          this.#fail(error)
          return
        }
        logger.debug('registering again failed; trying on', { reason: errorMessage(error) })
      }
      await backoff.pause()
    }
  }

  /** True when the node is active again, or has left meanwhile. */
  async #tryRecover(): Promise<boolean> {
    if (this.#lease.leaseId === undefined) await this.#lease.grant()
    const leaseId = this.#lease.leaseId
    if (leaseId === undefined) return false
    await this.#registration.register(leaseId)
    const lost = await this.#listener.findLost()
    if (this.#phase !== 'recovering') return true
    // Lost once more in the meantime: what was read proves nothing.
    if (this.#lease.leaseId !== leaseId || !this.#lease.isHeld()) return false
    this.#phase = 'active'
    this.#armWatchdog()
    this.#resume(lost)
    return true
  }

  #fail(error: GrapevineError): void {
    if (this.#phase !== 'recovering') return
    this.#phase = 'failed'
    this.#lease.abandon()
    this.#listener.onFailed(error)
  }
}
