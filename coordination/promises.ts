/**
 * Promises between members (PROTOCOLS section 2.6), both sides of them, over the `session` channel:
 *
 *   promise-ask {id, epoch, forMs} → promise-answer {id, forMs}           "take nothing from me", 0: refused
 *   promise-refuse {witness, nodeId, incarnation, revision} → promise-refused {nodeId, incarnation, revision}
 *
 * With promises from all it relies on, a node that cannot renew its lease goes on. It holds no clients and knows no sessions.
 * Invariant: while `isHeld`, nobody in the cluster, known to this node or not, gets a true `mayTakeFrom` for its life.
 */
import type { Incarnation, NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { Member } from '../src/core/ports/membership.ts'
import type { PeerAddress } from '../src/core/ports/peer-transport.ts'
import type { Random } from '../src/core/ports/random.ts'
import { AbsentLives } from './absent-lives.ts'
import type { CoordinationKeys, LifeName } from './keys.ts'
import { PromiseKeeper } from './promise-keeper.ts'
import { PromiseSeeker } from './promise-seeker.ts'
import { Reliance } from './reliance.ts'
import { isCount, type SessionChannel } from './session-channel.ts'

interface PromisesContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly random: Random
  readonly keys: CoordinationKeys
  readonly nodeId: NodeId
  readonly channel: SessionChannel
}

export interface PromisesOptions {
  /** The longest promise, the same on every node of the cluster. */
  readonly promiseMs: number
  /** Taken off for clocks that run at different speeds. */
  readonly marginMs: number
}

export interface PromisesListener {
  /** `deadlineMs` may have moved. */
  onExtended(): void
  /** A promise given has lapsed. */
  onLapsed(): void
  /** Of the store. Who has not noticed that it was restored is promised nothing: others may own what it thinks it owns. */
  epoch(): number
  /** That earlier life of this node cannot run any more. */
  isProvenDead(earlier: LifeName): boolean
}

/** Questions of both directions and their answers; a refusal is the answer 0. */
export interface PromiseStats {
  /** Questions this node asked while it could not renew its lease, repeats included. */
  asked: number
  /** What others answered. */
  promised: number
  refused: number
  /** What this node answered others. */
  given: number
  denied: number
}

type Fields = Readonly<Record<string, unknown>>

export class Promises {
  readonly stats: PromiseStats = { asked: 0, promised: 0, refused: 0, given: 0, denied: 0 }
  readonly #context: PromisesContext
  readonly #keeper: PromiseKeeper
  readonly #seeker: PromiseSeeker
  readonly #reliance: Reliance
  readonly #absent: AbsentLives
  readonly #epoch: () => number
  readonly #isProvenDead: (earlier: LifeName) => boolean
  #incarnation: Incarnation = 0

  constructor(context: PromisesContext, options: PromisesOptions, listener: PromisesListener) {
    const { clock, channel } = context
    this.#context = context
    this.#epoch = () => listener.epoch()
    this.#isProvenDead = earlier => listener.isProvenDead(earlier)
    this.#keeper = new PromiseKeeper(clock, options.promiseMs, () => listener.onLapsed())
    this.#seeker = new PromiseSeeker(
      clock,
      options,
      (nodeId, id, forMs) => {
        this.stats.asked++
        channel.send(nodeId, { type: 'promise-ask', id, epoch: listener.epoch(), forMs })
      },
      () => listener.onExtended(),
    )
    this.#reliance = new Reliance(context, relied => this.#seeker.setWitnesses(relied))
    this.#absent = new AbsentLives({
      ...context,
      keeper: this.#keeper,
      promiseMs: options.promiseMs,
      self: () => ({ nodeId: context.nodeId, incarnation: this.#incarnation }),
      isProvenDead: this.#isProvenDead,
      send: (nodeId, witness, life, revision) =>
        channel.send(nodeId, {
          type: 'promise-refuse',
          witness: witness.incarnation,
          nodeId: life.nodeId,
          incarnation: life.incarnation,
          revision,
        }),
    })
    channel.onType('promise-ask', (from, fields) => this.#onAsk(from, fields))
    channel.onType('promise-answer', (from, fields) => this.#onAnswer(from, fields))
    channel.onType('promise-refuse', (from, fields) => this.#onRefuse(from, fields))
    channel.onType('promise-refused', (_from, fields) => this.#onRefused(fields))
  }

  start(incarnation: Incarnation): void {
    this.#incarnation = incarnation
    this.#reliance.start({ nodeId: this.#context.nodeId, incarnation }, this.#isProvenDead)
  }

  stop(): void {
    this.#reliance.stop()
    this.#seeker.drop()
  }

  /** Once this node is no member any more, and acts for nobody. Never rejects. */
  withdraw(): Promise<void> {
    return this.#reliance.withdraw()
  }

  /** To be told of every change. */
  onMembersChanged(members: readonly Member[]): void {
    this.#reliance.want(members.filter(({ nodeId }) => nodeId !== this.#context.nodeId))
  }

  onRegistered(life: LifeName, revision: number): void {
    this.#keeper.onRegistered(life, revision)
  }

  /** The store was restored or emptied: whom this node relies on has to be written anew. */
  reset(): void {
    this.#reliance.reset()
  }

  /** Whether all that are needed have promised. Cheap: asked before every acknowledgement. */
  isHeld(): boolean {
    return this.#seeker.isHeld()
  }

  /** Monotonic ms until which they have; -Infinity when they have not. */
  get deadlineMs(): number {
    return this.#seeker.deadlineMs
  }

  /** To be called again and again while the lease cannot be renewed. */
  seek(): void {
    this.#seeker.seek()
  }

  drop(): void {
    this.#seeker.drop()
  }

  isPromised(nodeId: NodeId, incarnation: Incarnation): boolean {
    return this.#keeper.isPromised({ nodeId, incarnation })
  }

  /**
   * Whether sessions, wills and the like of a life that is not registered may be taken; false at first, see `AbsentLives`.
   * Once true for a life whose node has a later one, which keeps it from registering again, it is so for good.
   */
  mayTakeFrom(nodeId: NodeId, incarnation: Incarnation): boolean {
    return this.#absent.mayTakeFrom({ nodeId, incarnation })
  }

  #onAsk(from: PeerAddress, { id, epoch, forMs }: Fields): boolean {
    if (!isCount(id) || !isCount(epoch) || !isCount(forMs)) return false
    const grantedMs = epoch === this.#epoch() ? Math.floor(this.#keeper.promise(from, forMs)) : 0
    this.stats[grantedMs > 0 ? 'given' : 'denied']++
    // An answer that cannot be sent is asked for again.
    this.#context.channel.send(from.nodeId, { type: 'promise-answer', id, forMs: grantedMs })
    return true
  }

  #onAnswer(from: PeerAddress, { id, forMs }: Fields): boolean {
    if (!isCount(id) || !isCount(forMs)) return false
    this.stats[forMs > 0 ? 'promised' : 'refused']++
    this.#seeker.onAnswer(from, id, forMs)
    return true
  }

  #onRefuse(from: PeerAddress, { witness, nodeId, incarnation, revision }: Fields): boolean {
    if (!isCount(witness) || typeof nodeId !== 'string') return false
    if (!isCount(incarnation) || !isCount(revision)) return false
    const asked = { nodeId: this.#context.nodeId, incarnation: witness }
    if (this.#absent.refuse(asked, { nodeId, incarnation }, revision)) {
      this.#context.channel.send(from.nodeId, { type: 'promise-refused', nodeId, incarnation, revision })
    }
    return true
  }

  #onRefused({ nodeId, incarnation, revision }: Fields): boolean {
    if (typeof nodeId !== 'string' || !isCount(incarnation) || !isCount(revision)) return false
    this.#absent.onRefused({ nodeId, incarnation }, revision)
    return true
  }
}
