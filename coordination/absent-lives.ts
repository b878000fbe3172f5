/**
 * Whether something may be taken from a life that is not registered (PROTOCOLS section 2.6).
 *
 * It looks up whom that life relies on, and brings one of them to promise it nothing more: this very node, when it is one of
 * them, else one that can be asked. That takes a moment, so the answer is false at first; who asks again gets the news.
 * Invariant: true is answered only when the life was seen unregistered a moment ago and cannot be held by promises: it
 * relies on nobody, a witness refuses it from now on, or a witness is dead and the longest promise it can have given is over.
 */
import type { NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { CoordinationKeys, LifeName } from './keys.ts'
import { lifeKey, type PromiseKeeper } from './promise-keeper.ts'
import { decodeLives } from './reliance.ts'

interface AbsentLivesContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly keys: CoordinationKeys
  readonly keeper: PromiseKeeper
  readonly promiseMs: number
  /** This process. */
  self(): LifeName
  /** An earlier life of this node that cannot run any more. */
  isProvenDead(earlier: LifeName): boolean
  /** Asks `nodeId` to refuse `life` in the name of `witness`, which it is or was. */
  send(nodeId: NodeId, witness: LifeName, life: LifeName, revision: number): void
}

interface Sight {
  /** `Clock.now` until which it counts. */
  untilMs: number
  /** Of the store, at the look. */
  readonly revision: number
  mayTake: boolean
}

/** A look counts for this long: much shorter than the shortest lease, so that nobody can return and vanish in between. */
const SIGHT_MS = 500
const SIGHTS_MAX = 1024

export class AbsentLives {
  readonly #context: AbsentLivesContext
  readonly #sights = new Map<string, Sight>()
  readonly #looking = new Set<string>()
  readonly #startedMs: number

  constructor(context: AbsentLivesContext) {
    this.#context = context
    this.#startedMs = context.clock.now()
  }

  mayTakeFrom(life: LifeName): boolean {
    const { clock, keeper } = this.#context
    if (this.#context.isProvenDead(life)) return true
    if (keeper.isPromised(life)) return false
    const key = lifeKey(life)
    const sight = this.#sights.get(key)
    if (sight !== undefined && sight.untilMs > clock.now()) return sight.mayTake
    if (!this.#looking.has(key)) void this.#look(life)
    return false
  }

  /** A witness has refused the life that was seen unregistered at the look that asked it. */
  onRefused(life: LifeName, revision: number): void {
    const sight = this.#sights.get(lifeKey(life))
    if (sight?.revision === revision) sight.mayTake = true
  }

  /** Whether this process refuses `life` from now on, in the name of `witness`: itself, or an earlier life of its node. */
  refuse(witness: LifeName, life: LifeName, revision: number): boolean {
    const { clock, keeper, promiseMs } = this.#context
    const self = this.#context.self()
    if (witness.nodeId !== self.nodeId) return false
    if (witness.incarnation === self.incarnation) return keeper.refuse(life, revision)
    const isOver = clock.now() - this.#startedMs >= promiseMs
    return this.#context.isProvenDead(witness) && isOver
  }

  /** Never rejects. */
  async #look(life: LifeName): Promise<void> {
    const { store, clock, keys } = this.#context
    const key = lifeKey(life)
    this.#looking.add(key)
    const seenMs = clock.now()
    const relies = keys.relies(life.nodeId, life.incarnation)
    const member = keys.member(life.nodeId, life.incarnation)
    const success = [member, relies].map(name => ({ type: 'get' as const, key: name }))
    const outcome = await store.transact({ compare: [], success, failure: [] })
    this.#looking.delete(key)
    this.#sights.delete(key)
    if (outcome.outcome !== 'done') return
    const { revision, results } = outcome.result
    const [registered, relied] = results.map(result => (result.type === 'get' ? result.entry : undefined))
    if (registered !== undefined) return
    // What cannot be read was not written by this version: the life may rely on anybody.
    const witnesses = relied === undefined ? [] : decodeLives(relied.value)
    const sight = { untilMs: seenMs + SIGHT_MS, revision, mayTake: witnesses?.length === 0 }
    this.#remember(key, sight)
    if (sight.mayTake || witnesses === undefined) return
    sight.mayTake = witnesses.some(witness => this.refuse(witness, life, revision))
    if (sight.mayTake) return
    for (const witness of witnesses) this.#context.send(witness.nodeId, witness, life, revision)
  }

  #remember(key: string, sight: Sight): void {
    this.#sights.set(key, sight)
    const [oldest] = this.#sights.keys()
    if (this.#sights.size > SIGHTS_MAX && oldest !== undefined) this.#sights.delete(oldest)
  }
}
