/**
 * Finds out which of its sessions are this node's still: after a start, an absence, or when the store was replaced.
 *
 * It claims again what only a replaced store has forgotten, and ends no session: who asks does. Invariant: nothing counts as
 * lost by what a store says that came in the place of the one in which it was claimed.
 */
import { GrapevineError } from '../src/core/errors.ts'
import type { ClientId, NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { SessionHolder } from '../src/core/ports/session-ownership.ts'
import { pause } from './backoff.ts'
import type { ClusterEpoch } from './cluster-epoch.ts'
import type { CoordinationKeys } from './keys.ts'
import type { Presence } from './presence.ts'
import type { Promises } from './promises.ts'
import type { Registration } from './registration.ts'
import type { SessionClaims } from './session-claims.ts'
import { findTaken } from './session-lost.ts'
import { findSuperseded, readBack, type OwnedSession } from './session-readback.ts'
import type { StoredOwnership } from './session-record.ts'

interface CheckComponents {
  readonly store: CoordinationStore
  readonly keys: CoordinationKeys
  readonly clock: Clock
  readonly logger: Logger
  readonly nodeId: NodeId
  readonly leaseTtlMs: number
  readonly epoch: ClusterEpoch
  readonly registration: Registration
  readonly presence: Presence
  readonly promises: Promises
  readonly claims: SessionClaims
}

export class OwnershipCheck {
  readonly #components: CheckComponents
  #holder: Pick<SessionHolder, 'renew' | 'willPublished'> | undefined
  /** Clients whose wills the leader published while this node was away. */
  #publishedWills: readonly ClientId[] = []

  constructor(components: CheckComponents) {
    this.#components = components
  }

  /** Names who keeps the sessions. */
  serve(holder: Pick<SessionHolder, 'renew' | 'willPublished'>): void {
    this.#holder = holder
  }

  /**
   * Which of the sessions stored by earlier lives were superseded meanwhile and must be discarded, as `Coordinator.verifyStored`.
   * Rejects with COORDINATION_UNAVAILABLE, also when the store is replaced meanwhile.
   */
  async findSuperseded(sessions: readonly OwnedSession[]): Promise<ClientId[]> {
    const { epoch, claims, registration } = this.#components
    const { current } = epoch
    claims.start(registration.incarnation, current)
    const superseded = await (epoch.claimed === current ? this.#readBack(sessions) : claims.reclaimAll())
    // What the store said that came in its place says nothing of what it was asked for.
    if (epoch.current !== current)
      throw new GrapevineError('COORDINATION_UNAVAILABLE', 'the coordination store was replaced')
    this.#noteClaimed(current)
    return superseded
  }

  /** What was taken while this node was not registered; after the store was replaced, what others claimed before it did. */
  async findLost(): Promise<readonly ClientId[]> {
    const { store, keys, epoch, claims, promises, presence, registration } = this.#components
    const { clock, logger, nodeId, leaseTtlMs } = this.#components
    const { current } = epoch
    const { incarnation } = registration
    claims.start(incarnation, current)
    if (epoch.claimed === current) {
      this.#publishedWills = await claims.findPublishedWills()
      const taken = await findTaken(store, keys, { nodeId, incarnation }, claims.owned())
      // Claims of what this life has not claimed yet are noted under the life whose it was, if at all.
      const superseded = new Set(await this.#readBack(claims.unclaimed()))
      // Those that have been given away meanwhile stay until all has followed them.
      const left = claims.unclaimed().map(({ clientId }) => clientId)
      return [...taken, ...left.filter(clientId => superseded.has(clientId))]
    }
    promises.reset()
    const lost = [...(await claims.reclaimAll())]
    if (presence.mayHaveLost) {
      await pause(clock, Math.max(0, epoch.replacedMs + leaseTtlMs - clock.now()))
      lost.push(...(await findSuperseded(store, keys, registration.key, claims.owned())))
    }
    this.#noteClaimed(current)
    logger.info('everything is registered and claimed again in the replaced coordination store', {
      epoch: current,
      sessions: claims.owned().length - lost.length,
      lost: lost.length,
    })
    return lost
  }

  /** The node is registered again: what was found of wills meanwhile is in force. */
  resumed(): void {
    for (const clientId of this.#publishedWills) this.#holder?.willPublished(clientId)
    this.#publishedWills = []
  }

  /** A claim that met this node's own record was one upon the state on its disk, where it was made by a life on that disk. */
  async #readBack(sessions: readonly OwnedSession[]): Promise<ClientId[]> {
    const { store, keys, registration } = this.#components
    const isRenewal = ({ node, incarnation, how }: StoredOwnership): boolean =>
      how === 'reconnect' && registration.isProvenDead({ nodeId: node, incarnation })
    const { superseded, renewed } = await readBack(store, keys, registration.key, sessions, isRenewal)
    for (const { clientId, token } of renewed) this.#holder?.renew(clientId, token)
    return superseded
  }

  /** The others wait for this node no more, if they did. */
  #noteClaimed(current: number): void {
    const { epoch, presence } = this.#components
    epoch.noteClaimed(current)
    presence.describe({ claimedEpoch: current })
  }
}
