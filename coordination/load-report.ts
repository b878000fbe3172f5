import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { MemberLoad } from '../src/core/ports/membership.ts'

/** Between two writes of the member key for the sake of load. */
export const LOAD_REPORT_INTERVAL_MS = 15_000
/** A count that differs by less than this part, or by less than a few, is not worth a write. */
const NOTICEABLE_PART = 0.1
const NOTICEABLE_COUNT = 10

/**
 * Passes a node's load on to its member key: the first at once, later ones at most every 15 s and only when one of the
 * counts has changed noticeably, since every write reaches every member.
 */
export class LoadReport {
  readonly #clock: Clock
  readonly #write: (change: { readonly load: MemberLoad }) => void
  #written: MemberLoad | undefined
  #latest: MemberLoad | undefined
  #timer: Timer | undefined

  constructor(clock: Clock, write: (change: { readonly load: MemberLoad }) => void) {
    this.#clock = clock
    this.#write = write
  }

  set(load: MemberLoad): void {
    this.#latest = load
    if (this.#timer === undefined) this.#report()
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #report(): void {
    this.#timer = undefined
    const { connections, sessions, subscriptions } = this.#latest ?? {}
    if (connections === undefined || sessions === undefined || subscriptions === undefined) return
    const load = { connections, sessions, subscriptions }
    if (this.#written !== undefined && !isNoticeable(this.#written, load)) return
    this.#written = load
    this.#write({ load })
    this.#timer = this.#clock.schedule(LOAD_REPORT_INTERVAL_MS, () => this.#report())
  }
}

function isNoticeable(before: MemberLoad, now: MemberLoad): boolean {
  return (['connections', 'sessions', 'subscriptions'] as const).some(count => {
    const change = Math.abs(now[count] - before[count])
    const isToOrFromZero = (now[count] === 0) !== (before[count] === 0)
    return isToOrFromZero || change >= Math.max(NOTICEABLE_COUNT, before[count] * NOTICEABLE_PART)
  })
}
