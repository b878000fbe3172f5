/**
 * Whether this node may act as a member right now: its lease and its registration together.
 *
 * It goes on without the lease while promises say that nobody takes anything; else it suspends the node before the lease can
 * have expired, and brings it back: when the lease turns out to be alive, at once; when it was lost, by registering again
 * under the same incarnation and finding out which sessions were taken. Invariant: `isActive` answers true only while lease or
 * promises are held, without a gap since the last proof that everything claimed is this node's: once suspended, no promise
 * brings it back.
 * `generation` changes whenever the lease was lost, so that whoever waited for an answer meanwhile does not trust it.
 */
import { errorMessage, GrapevineError } from '../src/core/errors.ts'
import type { ClientId } from '../src/core/ids.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { MemberDescription } from '../src/core/ports/membership.ts'
import type { Random } from '../src/core/ports/random.ts'
import { Backoff } from './backoff.ts'
import { NodeLease, type NodeLeaseOptions } from './node-lease.ts'
import { leftMeanwhile, type Registration } from './registration.ts'
import { persistently } from './store-calls.ts'

export interface PresenceListener {
  onSuspended(reason: string): void
  /**
   * After the sessions of `lostClientIds` were given up. `wasAway`: this node was no member meanwhile, so that nobody has
   * waited for it to hear of anything.
   */
  onResumed(lostClientIds: readonly ClientId[], wasAway: boolean): void
  /** This life of the node can never act again. */
  onFailed(error: GrapevineError): void
  /** Asked once the node is registered again, before it may act. */
  findLost(): Promise<readonly ClientId[]>
  /** Asked before the node registers again: finds out whether the store is still the one it was. */
  settleEpoch(): Promise<void>
}

/** See `Promises`. */
interface PresencePromises {
  readonly deadlineMs: number
  isHeld(): boolean
  seek(): void
  drop(): void
}

interface PresenceContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

type Phase = 'outside' | 'active' | 'recovering' | 'failed' | 'left'

/** How often it is looked whether promises are needed; they are once half of the lease is over. */
const PROMISE_CHECK_MS = 250
/** How long a joining node tolerates a store that does not answer. */
const JOIN_PATIENCE_MS = 10_000

export class Presence {
  readonly #context: PresenceContext
  readonly #options: NodeLeaseOptions
  readonly #registration: Registration
  readonly #listener: PresenceListener
  readonly #promises: PresencePromises
  readonly #lease: NodeLease
  #promiseCheck: Timer | undefined
  #phase: Phase = 'outside'
  #isSuspended = false
  #suspendedAtMs = 0
  #mayHaveLost = false
  #generation = 0
  #watchdog: Timer | undefined

  constructor(
    context: PresenceContext,
    options: NodeLeaseOptions,
    registration: Registration,
    promises: PresencePromises,
    listener: PresenceListener,
  ) {
    this.#context = context
    this.#options = options
    this.#registration = registration
    this.#promises = promises
    this.#listener = listener
    this.#lease = new NodeLease(context, options, {
      onExtended: () => this.#onExtended(),
      onExpired: () => this.#onLost('the coordination store says the lease has expired'),
    })
  }

  /**
   * It was suspended when the store was replaced: what others had taken from it meanwhile, the new store does not say until they
   * claim it again.
   */
  get mayHaveLost(): boolean {
    return this.#mayHaveLost
  }

  get generation(): number {
    return this.#generation
  }

  get leaseId(): string | undefined {
    return this.#lease.leaseId
  }

  isActive(): boolean {
    if (this.#phase !== 'active' && this.#phase !== 'recovering') return false
    if (this.#isReliable()) return true
    // Noticed here before the timer fired, or by the wall clock alone: listeners are told outside this call.
    if (!this.#isSuspended) this.#context.clock.defer(() => this.#checkDeadline())
    return false
  }

  /** Goes on without its lease. */
  get isPromised(): boolean {
    return this.isActive() && !this.#lease.isHeld()
  }

  /** Throws NODE_ID_TAKEN, COORDINATION_UNAVAILABLE, or COORDINATION_CLOSED when the node leaves meanwhile. */
  async join(description: MemberDescription, epoch: number): Promise<void> {
    this.#registration.describe(description)
    try {
      await persistently(this.#context, JOIN_PATIENCE_MS, () =>
        this.#registration.allocate(this.#options.leaseTtlMs, epoch),
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
    this.#promiseCheck = this.#context.clock.repeat(PROMISE_CHECK_MS, () => this.#seekPromises())
  }

  /** Changes what others see of it; written in the background, until it is. */
  describe(change: Partial<MemberDescription>): void {
    this.#registration.change(change, () => (this.#phase === 'active' ? this.#lease.leaseId : undefined))
  }

  /** The member key was seen to be absent at `revision`: after our last write, somebody revoked the lease. */
  onKeyAbsent(revision: number): void {
    if (this.#phase !== 'active' || revision <= this.#registration.revision) return
    this.#lease.abandon()
    this.#onLost('the member key of this node vanished from the coordination store')
  }

  /** The store is not the one in which things were claimed: nothing is this node's until it was claimed anew. */
  onStoreReplaced(reason: string): void {
    if (this.#phase !== 'active' && this.#phase !== 'recovering') return
    // Replacing the store itself suspends, a moment before it is known for what it is.
    const suspendedMs = this.#context.clock.now() - this.#suspendedAtMs
    if (this.#isSuspended && suspendedMs > this.#options.leaseMarginMs) this.#mayHaveLost = true
    this.#promises.drop()
    this.#lease.abandon()
    this.#generation++
    if (this.#phase === 'active') this.#onLost(reason)
    else this.#suspend(reason)
  }

  /** `deadlineMs` of the promises moved. */
  onPromisesExtended(): void {
    this.#armWatchdog()
  }

  /** Rejects when the lease could not be revoked. */
  async leave(): Promise<void> {
    this.#phase = 'left'
    this.#promiseCheck?.cancel()
    this.#registration.stop()
    this.#watchdog?.cancel()
    await this.#lease.leave()
  }

  #onExtended(): void {
    this.#armWatchdog()
    if (this.#phase === 'active' && this.#isSuspended && this.#lease.isHeld()) this.#resume([], false)
  }

  #onLost(reason: string): void {
    if (this.#phase !== 'active') return
    this.#phase = 'recovering'
    this.#generation++
    if (!this.#isReliable()) this.#suspend(reason)
    void this.#recover()
  }

  #armWatchdog(): void {
    this.#watchdog?.cancel()
    const { clock } = this.#context
    const deadlineMs = Math.max(this.#lease.deadlineMs, this.#promises.deadlineMs)
    const delayMs = Math.max(0, deadlineMs - clock.now())
    this.#watchdog = clock.schedule(delayMs, () => this.#checkDeadline())
  }

  #checkDeadline(): void {
    if (this.#phase !== 'active' && this.#phase !== 'recovering') return
    if (this.#isReliable()) return
    this.#suspend('the lease could not be renewed in time, and not all other members promise to take nothing')
  }

  /** A lease got while recovering counts for nothing until it is known what others took. */
  #isReliable(): boolean {
    if (this.#isSuspended && this.#phase === 'recovering') return false
    if (this.#phase === 'active' && this.#lease.isHeld()) return true
    return !this.#isSuspended && this.#promises.isHeld()
  }

  #seekPromises(): void {
    const { leaseTtlMs, leaseMarginMs } = this.#options
    const isFresh = this.#lease.deadlineMs - this.#context.clock.now() > (leaseTtlMs - leaseMarginMs) / 2
    if (this.isActive() && !(this.#phase === 'active' && isFresh)) this.#promises.seek()
  }

  #suspend(reason: string): void {
    if (this.#isSuspended) return
    this.#isSuspended = true
    this.#suspendedAtMs = this.#context.clock.now()
    this.#promises.drop()
    this.#listener.onSuspended(reason)
  }

  #resume(lost: readonly ClientId[], wasAway: boolean): void {
    const hasNews = this.#isSuspended || lost.length > 0
    this.#isSuspended = this.#mayHaveLost = false
    if (hasNews) this.#listener.onResumed(lost, wasAway)
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
    const { generation } = this
    await this.#listener.settleEpoch()
    if (this.#lease.leaseId === undefined) await this.#lease.grant()
    const leaseId = this.#lease.leaseId
    if (leaseId === undefined) return false
    await this.#registration.register(leaseId)
    const lost = await this.#listener.findLost()
    if (this.#phase !== 'recovering') return true
    // Lost once more in the meantime: what was read proves nothing.
    const isSameLease = this.#lease.leaseId === leaseId && this.#lease.isHeld()
    if (!isSameLease || this.#generation !== generation) return false
    this.#phase = 'active'
    this.#armWatchdog()
    this.#resume(lost, true)
    return true
  }

  #fail(error: GrapevineError): void {
    if (this.#phase !== 'recovering') return
    this.#phase = 'failed'
    this.#lease.abandon()
    this.#listener.onFailed(error)
  }
}
