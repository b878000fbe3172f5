/**
 * The node's one lease, and until when this node may rely on it (PROTOCOLS section 2.1).
 *
 * It grants, renews and revokes; what hangs on the lease is not its business. Invariant: `isHeld` answers true only while
 * the store cannot have let the lease expire, even if every clock but this node's own stood still: the deadline counts
 * from the moment the last acknowledged request was sent, less a margin, by the monotonic clock and by the wall clock.
 */
import { errorMessage } from '../src/core/errors.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import { Deadline } from './deadline.ts'

export interface NodeLeaseOptions {
  readonly leaseTtlMs: number
  readonly renewIntervalMs: number
  /** Taken off the TTL for clocks that run at different speeds. */
  readonly leaseMarginMs: number
}

export interface NodeLeaseListener {
  /** The deadline moved. */
  onExtended(): void
  /** The store says the lease is gone. */
  onExpired(): void
}

/** Once a renewal failed the next one follows after this, or after the interval if that is shorter. */
const RETRY_MS = 500

export class NodeLease {
  readonly #store: CoordinationStore
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #options: NodeLeaseOptions
  readonly #listener: NodeLeaseListener
  #leaseId: string | undefined
  #ttlMs = 0
  readonly #deadline: Deadline
  #renewal: Timer | undefined
  #isFailing = false
  #isStopped = false

  constructor(
    { store, clock, logger }: { store: CoordinationStore; clock: Clock; logger: Logger },
    options: NodeLeaseOptions,
    listener: NodeLeaseListener,
  ) {
    this.#store = store
    this.#clock = clock
    this.#deadline = new Deadline(clock)
    this.#logger = logger
    this.#options = options
    this.#listener = listener
  }

  /** Undefined before it is granted and once it is known to be gone. */
  get leaseId(): string | undefined {
    return this.#leaseId
  }

  /** Monotonic ms until which the lease may be relied on. */
  get deadlineMs(): number {
    return this.#deadline.atMs
  }

  /** Cheap: asked before every acknowledgement. */
  isHeld(): boolean {
    return this.#deadline.isAhead()
  }

  /** Gets a new lease and begins to renew it. Rejects when the store does not answer. */
  async grant(): Promise<void> {
    const sentMs = this.#clock.now()
    const sentWallMs = this.#clock.wallNow()
    const { leaseId, ttlMs } = await this.#store.grantLease(this.#options.leaseTtlMs)
    if (this.#isStopped) {
      await this.#store.revokeLease(leaseId)
      return
    }
    this.#leaseId = leaseId
    this.#ttlMs = ttlMs
    this.#isFailing = false
    this.#extend(sentMs, sentWallMs)
  }

  /** Relies on the lease no longer; whatever hangs on it goes with it, now or when it runs out. */
  abandon(): void {
    const leaseId = this.#forget()
    if (leaseId === undefined) return
    this.#store.revokeLease(leaseId).catch((error: unknown) => {
      this.#logger.debug('an abandoned lease could not be revoked; it runs out', {
        reason: errorMessage(error),
      })
    })
  }

  /** Stops renewing and revokes. Rejects when the store does not answer; the lease then runs out by itself. */
  async leave(): Promise<void> {
    this.#isStopped = true
    const leaseId = this.#forget()
    if (leaseId !== undefined) await this.#store.revokeLease(leaseId)
  }

  #forget(): string | undefined {
    const leaseId = this.#leaseId
    this.#leaseId = undefined
    this.#deadline.clear()
    this.#renewal?.cancel()
    return leaseId
  }

  #extend(sentMs: number, sentWallMs: number): void {
    const reliableMs = this.#ttlMs - this.#options.leaseMarginMs
    this.#deadline.set(sentMs, sentWallMs, reliableMs)
    this.#renewAfter(Math.max(0, sentMs + this.#options.renewIntervalMs - this.#clock.now()))
  }

  #renewAfter(delayMs: number): void {
    this.#renewal?.cancel()
    this.#renewal = this.#clock.schedule(delayMs, () => void this.#renew())
  }

  /** Never rejects. */
  async #renew(): Promise<void> {
    const leaseId = this.#leaseId
    if (leaseId === undefined) return
    const sentMs = this.#clock.now()
    const sentWallMs = this.#clock.wallNow()
    const answer = await this.#store.keepAlive(leaseId).catch(errorMessage)
    if (leaseId !== this.#leaseId) return
    if (answer === 'alive') {
      if (this.#isFailing) this.#logger.info('the lease is renewed again')
      this.#isFailing = false
      this.#extend(sentMs, sentWallMs)
      this.#listener.onExtended()
    } else if (answer === 'expired') {
      this.#forget()
      this.#listener.onExpired()
    } else {
      if (!this.#isFailing) {
        const leftMs = Math.max(0, Math.round(this.#deadline.atMs - this.#clock.now()))
        this.#logger.warn(
          'the lease cannot be renewed; this node goes on while all other members promise to take nothing from it, else it suspends itself in time',
          {
            leftMs,
            reason: answer,
          },
        )
      }
      this.#isFailing = true
      this.#renewAfter(Math.min(RETRY_MS, this.#options.renewIntervalMs))
    }
  }
}
