/**
 * Lives that may act for their clients although they are no members here: cut off from the store they go on by promises of others
 * (PROTOCOLS section 2.6), and neither know of nodes that joined since, nor are known to these. By which routes they send cannot
 * be known, so while there is one, nothing has come into force everywhere.
 *
 * It looks at who relies on whom whenever somebody is no member any more, and again while there are such lives; it routes nothing.
 * As whoever wants to take something from such a life, it has a witness promise that nothing more, unless a promise is in force.
 * Invariant: a life is among them from when it is no member, or from the start, until it is known that no promise holds it, or no
 * member can have given it one and the longest promise is over.
 */
import type { NodeId } from '../src/core/ids.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { CoordinationKeys, LifeName } from './keys.ts'
import { lifeKey } from './promise-keeper.ts'
import { decodeLives } from './reliance.ts'

interface UnseenLivesContext {
  readonly store: Pick<CoordinationStore, 'range'>
  readonly clock: Clock
  readonly keys: CoordinationKeys
  readonly nodeId: NodeId
  /** The longest promise. */
  readonly promiseMs: number
  members(): readonly LifeName[]
  /** As `Promises.mayTakeFrom`. */
  mayTakeFrom(nodeId: NodeId, incarnation: number): boolean
}

/** Before anything was looked at there may be anybody. */
const ANYBODY = '?'
const LOOK_FIRST_MS = 50
/** Less than what was found out by asking counts for (`absent-lives.ts`). */
const LOOK_LAST_MS = 250

export class UnseenLives {
  readonly #context: UnseenLivesContext
  readonly #onChanged: () => void
  #lives: ReadonlySet<string> = new Set()
  #members = new Set<string>()
  /** No promise holds them, until they are members again. */
  #over = new Set<string>()
  /** Monotonic ms since when nobody who could promise them anything is a member. */
  #aloneSinceMs = new Map<string, number>()
  #timer: Timer | undefined
  #pauseMs = LOOK_FIRST_MS
  #isLooking = false
  #isAgainDue = false
  #isStopped = false

  /** `onChanged`: `list` has. */
  constructor(context: UnseenLivesContext, onChanged: () => void) {
    this.#context = context
    this.#onChanged = onChanged
  }

  /** Names of lives, for comparison only. */
  get list(): readonly string[] {
    return [...this.#lives]
  }

  start(): void {
    this.#set(new Set([ANYBODY]))
    this.#lookSoon()
  }

  onMembersChanged(): void {
    const before = this.#members
    this.#members = new Set(this.#others().map(lifeKey))
    for (const key of this.#members) this.#over.delete(key)
    const gone = [...before].filter(key => !this.#members.has(key))
    const unseen = [...this.#lives].filter(key => !this.#members.has(key))
    this.#set(new Set([...unseen, ...gone]))
    if (gone.length > 0) this.#lookSoon()
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  #others(): readonly LifeName[] {
    return this.#context.members().filter(({ nodeId }) => nodeId !== this.#context.nodeId)
  }

  #lookSoon(): void {
    this.#pauseMs = LOOK_FIRST_MS
    this.#isAgainDue = this.#isLooking
    if (!this.#isLooking) void this.#look()
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    const { store, clock, keys } = this.#context
    if (this.#isStopped) return
    this.#timer?.cancel()
    this.#isLooking = true
    const found = await store.range(keys.reliances).catch(() => undefined)
    this.#isLooking = false
    if (found !== undefined && !this.#isAgainDue) {
      const relied = new Map(
        found.entries.flatMap(({ key, value }) => {
          const life = keys.parseReliance(key)
          return life === undefined ? [] : [[lifeKey(life), { life, witnesses: decodeLives(value) }] as const]
        }),
      )
      this.#over = new Set([...this.#over].filter(key => relied.has(key)))
      this.#aloneSinceMs = new Map([...this.#aloneSinceMs].filter(([key]) => relied.has(key)))
      const held = [...relied.values()].filter(({ life, witnesses }) => this.#mayBeHeld(life, witnesses))
      this.#set(new Set(held.map(({ life }) => lifeKey(life))))
    }
    const isAgainDue = this.#isAgainDue
    this.#isAgainDue = false
    if (this.#isStopped || (this.#lives.size === 0 && !isAgainDue)) return
    this.#timer = clock.schedule(this.#pauseMs, () => void this.#look())
    this.#pauseMs = Math.min(LOOK_LAST_MS, this.#pauseMs * 2)
  }

  /** `witnesses` undefined: it may be anybody. */
  #mayBeHeld(life: LifeName, witnesses: readonly LifeName[] | undefined): boolean {
    const { clock, nodeId, promiseMs } = this.#context
    const key = lifeKey(life)
    if (life.nodeId === nodeId || this.#members.has(key) || this.#over.has(key)) return false
    const isWitness = (witness: LifeName): boolean =>
      witness.nodeId === nodeId || this.#members.has(lifeKey(witness))
    const nowMs = clock.now()
    if (witnesses === undefined || witnesses.some(isWitness)) this.#aloneSinceMs.delete(key)
    else if (!this.#aloneSinceMs.has(key)) this.#aloneSinceMs.set(key, nowMs)
    const aloneMs = nowMs - (this.#aloneSinceMs.get(key) ?? nowMs)
    const isOver = this.#context.mayTakeFrom(life.nodeId, life.incarnation)
    if (isOver || aloneMs > promiseMs) this.#over.add(key)
    return !this.#over.has(key)
  }

  #set(lives: ReadonlySet<string>): void {
    const isSame = lives.size === this.#lives.size && [...lives].every(key => this.#lives.has(key))
    this.#lives = lives
    if (!isSame) this.#onChanged()
  }
}
