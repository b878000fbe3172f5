/**
 * Session ownership: claims by compare-and-swap on the record of a client id, releases, and the owner's consent.
 *
 * It decides who owns; holding clients is the `SessionHolder`'s business. Invariant: a client id is in `#owned` only while
 * its record names this incarnation under that very token, and nobody has been given consent to take it. So a claim
 * that finds the record its own but the client id not in `#owned` (a write of unknown outcome, a consent nobody used)
 * rewrites it, whereupon any swap still on its way fails.
 */
import type { ClientId, FencingToken, Incarnation, NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { Random } from '../src/core/ports/random.ts'
import type { ClaimAnswer, SessionHolder } from '../src/core/ports/session-ownership.ts'
import { Admission } from './admission.ts'
import { ClaimContest, type ContestContext, type UnsettledWrites } from './claim-contest.ts'
import type { CoordinationKeys } from './keys.ts'
import type { Membership } from './membership.ts'
import type { Presence } from './presence.ts'
import type { ConsentAnswer } from './session-consent.ts'
import type { OwnedSession } from './session-readback.ts'
import { SessionReleases } from './session-releases.ts'

interface ClaimsContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly keys: CoordinationKeys
  readonly nodeId: NodeId
  readonly presence: Presence
  readonly membership: Membership
  readonly ask: ContestContext['ask']
}

export class SessionClaims {
  readonly #context: ClaimsContext
  readonly #releases: SessionReleases
  readonly #admission = new Admission(limits.claimsUnderWayMax, limits.claimsWaitingMax)
  /** Revision of the token by client id; the epoch is that of this process. */
  readonly #owned = new Map<ClientId, number>()
  readonly #claiming = new Set<ClientId>()
  /** Of claims that were refused while a write of theirs may still be carried out. */
  readonly #unsettled = new Map<ClientId, UnsettledWrites>()
  #holder: SessionHolder | undefined
  #incarnation: Incarnation = 0
  #epoch = 0

  constructor(context: ClaimsContext) {
    this.#context = context
    this.#releases = new SessionReleases(context, context.keys)
  }

  serve(holder: SessionHolder): void {
    this.#holder = holder
  }

  start(incarnation: Incarnation, epoch: number): void {
    this.#incarnation = incarnation
    this.#epoch = epoch
  }

  /** As `SessionOwnership.claim`. */
  async claim(clientId: ClientId): Promise<ClaimAnswer> {
    if (this.#claiming.has(clientId)) throw new Error(`client id claimed while a claim for it is under way`)
    if (!this.#context.presence.isActive()) return { status: 'refused', reason: 'suspended' }
    const kept = this.#stillOwned(clientId)
    if (kept !== undefined) return { status: 'claimed', token: kept, resumableToken: kept }
    this.#claiming.add(clientId)
    try {
      if (!(await this.#admission.enter())) return { status: 'refused', reason: 'unavailable' }
      try {
        return await this.#contend(clientId)
      } finally {
        this.#admission.leave()
      }
    } finally {
      this.#claiming.delete(clientId)
    }
  }

  /** As `SessionOwnership.release`. */
  release(clientId: ClientId, token: FencingToken): void {
    const owned = this.#owned.get(clientId)
    const isOwnedSo = token.epoch === this.#epoch && owned === token.revision
    if (owned !== undefined && !isOwnedSo) return
    this.#owned.delete(clientId)
    if (!this.#releases.add(clientId, token)) {
      this.#context.logger.debug('too many releases wait; a session record stays until it is claimed', {
        clientId,
      })
    }
  }

  /** What the owner answers another node: it gives the session up, unless it is just claiming it itself. */
  judge(clientId: ClientId, token: FencingToken): Exclude<ConsentAnswer, 'unreachable'> {
    if (this.#holder === undefined || this.#claiming.has(clientId)) return 'retry'
    const owned = this.#owned.get(clientId)
    if (owned !== undefined && (owned !== token.revision || token.epoch !== this.#epoch)) return 'retry'
    this.#giveUp(clientId)
    return 'consent'
  }

  /** Everything claimed and not given up. */
  owned(): OwnedSession[] {
    return Array.from(this.#owned, ([clientId, revision]) => ({
      clientId,
      token: { epoch: this.#epoch, revision },
    }))
  }

  /** Gives up sessions others have taken. */
  surrender(clientIds: readonly ClientId[]): void {
    for (const clientId of clientIds) this.#giveUp(clientId)
  }

  /** Sends the releases that wait. */
  close(): Promise<void> {
    return this.#releases.close()
  }

  #giveUp(clientId: ClientId): void {
    this.#owned.delete(clientId)
    this.#holder?.surrender(clientId)
  }

  /** The token of a session that is owned without asking the store. */
  #stillOwned(clientId: ClientId): FencingToken | undefined {
    const revision = this.#owned.get(clientId)
    return revision === undefined ? undefined : { epoch: this.#epoch, revision }
  }

  async #contend(clientId: ClientId): Promise<ClaimAnswer> {
    const { presence, membership } = this.#context
    await this.#releases.settled(clientId)
    const released = this.#releases.callBack(clientId)
    const unsettled = this.#unsettled.get(clientId) ?? (new Map() as UnsettledWrites)
    const contest = new ClaimContest(
      {
        ...this.#context,
        isActive: () => presence.isActive(),
        generation: () => presence.generation,
        isLive: (nodeId, incarnation) => membership.isLive(nodeId, incarnation),
      },
      { incarnation: this.#incarnation, epoch: this.#epoch },
      clientId,
      unsettled,
    )
    const answer = await contest.run()
    if (answer.status === 'claimed') {
      this.#owned.set(clientId, answer.token.revision)
      this.#unsettled.delete(clientId)
    } else {
      if (released !== undefined) this.#releases.add(clientId, released)
      const isRemembered = this.#unsettled.size < limits.claimsWaitingMax
      if (unsettled.size > 0 && isRemembered) this.#unsettled.set(clientId, unsettled)
    }
    return answer
  }
}
