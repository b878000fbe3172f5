/**
 * One member as the interest exchange knows it: its interest, the link to it, and how much it may send.
 *
 * It sends nothing. Invariant: a member has confirmed this node's interest only by what it said on the present link, of all
 * that was announced before that came up.
 */
import { limits } from '../src/core/limits.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import { RateLimit } from '../src/core/rate-limit.ts'
import type { RemoteInterest } from './remote-interest.ts'

export class MemberInterest {
  readonly remote: RemoteInterest
  /** In which turn of the interval it gets its digest. */
  readonly digestTurn: number
  readonly deltas: RateLimit
  readonly frames: RateLimit
  readonly pulls: RateLimit
  #isLinkUp = false
  /** This node's sequence when the link came up: a peer that has applied it has confirmed. */
  #linkSequence = 0
  #hasConfirmed = false

  constructor(remote: RemoteInterest, digestTurn: number, clock: Clock) {
    this.remote = remote
    this.digestTurn = digestTurn
    this.deltas = new RateLimit(clock, limits.gossipDeltasPerSecondMax, limits.gossipDeltasBurstMax)
    this.frames = new RateLimit(clock, limits.interestBytesPerSecondMax, limits.interestBytesBurstMax)
    this.pulls = new RateLimit(clock, limits.interestPullsPerSecondMax, limits.interestPullsBurstMax)
  }

  get isLinkUp(): boolean {
    return this.#isLinkUp
  }

  /** On the present link, that it holds this node's interest. */
  get hasConfirmed(): boolean {
    return this.#hasConfirmed
  }

  /** `sequence`: how many changes this node has announced. */
  linkUp(sequence: number): void {
    this.#isLinkUp = true
    this.#linkSequence = sequence
    this.remote.onLinkUp()
  }

  linkDown(): void {
    this.#isLinkUp = false
    this.#hasConfirmed = false
    this.remote.onLinkDown()
  }

  /** It has applied this node's changes up to there. True when it has confirmed by that, and had not before. */
  applied(sequence: number): boolean {
    if (this.#hasConfirmed || sequence < this.#linkSequence) return false
    this.#hasConfirmed = true
    return true
  }
}
