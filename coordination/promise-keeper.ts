/**
 * The promises this node has given: "I will take nothing from your incarnation until T" (PROTOCOLS section 2.6).
 *
 * It decides and remembers; it sends nothing and reads no store. Invariant: a life is never promised to and refused at
 * once. Who was refused is told so until it is seen registered again after the refusal: only then does it know of everybody
 * who may have taken something from it. Durations only cross the wire, so no two clocks are ever compared.
 */
import type { Clock } from '../src/core/ports/clock.ts'
import type { LifeName } from './keys.ts'

/** Lives remembered as refused; beyond it no further one is refused, so none of theirs is taken either. */
const REFUSED_MAX = 65_536

export class PromiseKeeper {
  readonly #clock: Clock
  readonly #promiseMs: number
  readonly #onLapsed: () => void
  /** `Clock.now` until which each life is promised. */
  readonly #given = new Map<string, number>()
  /** Store revision at which each life was seen to be unregistered. */
  readonly #refused = new Map<string, number>()

  /** `onLapsed`: a promise has run out and was not renewed. */
  constructor(clock: Clock, promiseMs: number, onLapsed: () => void) {
    this.#clock = clock
    this.#promiseMs = promiseMs
    this.#onLapsed = onLapsed
  }

  /** Answers for how long it is promised, ms from now; 0: not at all. */
  promise(life: LifeName, forMs: number): number {
    const key = lifeKey(life)
    if (this.#refused.has(key)) return 0
    const grantedMs = Math.min(forMs, this.#promiseMs)
    const untilMs = this.#clock.now() + grantedMs
    if (untilMs > (this.#given.get(key) ?? 0)) this.#given.set(key, untilMs)
    this.#clock.schedule(grantedMs, () => this.#forgetLapsed(key))
    return grantedMs
  }

  isPromised(life: LifeName): boolean {
    return (this.#given.get(lifeKey(life)) ?? 0) > this.#clock.now()
  }

  /**
   * Gives that life, seen unregistered at `revision`, no promise any more. False while one is in force: then it lives, or may,
   * and nothing has changed.
   */
  refuse(life: LifeName, revision: number): boolean {
    if (this.isPromised(life)) return false
    const key = lifeKey(life)
    if (!this.#refused.has(key) && this.#refused.size >= REFUSED_MAX) return false
    this.#refused.set(key, Math.max(revision, this.#refused.get(key) ?? 0))
    return true
  }

  /** The life was registered at `revision`. */
  onRegistered(life: LifeName, revision: number): void {
    const key = lifeKey(life)
    if (revision > (this.#refused.get(key) ?? Infinity)) this.#refused.delete(key)
  }

  #forgetLapsed(key: string): void {
    const untilMs = this.#given.get(key)
    if (untilMs === undefined || untilMs > this.#clock.now()) return
    this.#given.delete(key)
    this.#onLapsed()
  }
}

export function lifeKey({ nodeId, incarnation }: LifeName): string {
  return `${nodeId}/${incarnation}`
}
