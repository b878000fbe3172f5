import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { CoordinationOutcome } from '../src/core/ports/coordination-store.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { Random } from '../src/core/ports/random.ts'
import { Backoff } from './backoff.ts'

const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 5000

/**
 * Whether the store answers and yet refuses what a node needs, whatever it asks: it may not write there, or nothing fits in.
 * An operator is told once when it begins, and once when it is over.
 *
 * While it lasts the store is asked again every few seconds: a node that is not ready is sent no clients, so nothing else
 * would tell. Invariant: it is over only when the store would take a write, which needs all that reads need, too.
 */
export class StandingRefusal {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #backoff: Backoff
  readonly #probe: () => Promise<CoordinationOutcome>
  #reason: string | undefined
  #timer: Timer | undefined
  #isClosed = false

  /** `probe`: asks for a write that changes nothing, and is done when the store takes writes. */
  constructor(
    { clock, random, logger }: { clock: Clock; random: Random; logger: Logger },
    probe: () => Promise<CoordinationOutcome>,
  ) {
    this.#clock = clock
    this.#logger = logger
    this.#backoff = new Backoff(clock, random, FIRST_PAUSE_MS, LONGEST_PAUSE_MS)
    this.#probe = probe
  }

  /** As the store last put it, with what to do about it; undefined while it refuses nothing. */
  get reason(): string | undefined {
    return this.#reason
  }

  /** A call was refused, not for what it asked. */
  met(reason: string): void {
    const isNew = this.#reason === undefined
    this.#reason = reason
    if (!isNew || this.#isClosed) return
    this.#logger.warn(
      'the coordination store refuses what this node needs; until that is mended new sessions are refused',
      { reason },
    )
    this.#backoff.reset()
    this.#askLater()
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #askLater(): void {
    this.#timer = this.#clock.schedule(this.#backoff.next(), () => void this.#ask())
  }

  async #ask(): Promise<void> {
    const { outcome } = await this.#probe()
    if (this.#isClosed) return
    if (outcome !== 'done') {
      this.#askLater()
      return
    }
    this.#reason = undefined
    this.#logger.info('the coordination store grants again what this node needs')
  }
}
