/**
 * How much room the wills of this node's clients may take in the coordination store.
 *
 * It counts and encodes; it writes nothing. A will that finds no room is kept as its header alone, which says that there is
 * one: this node publishes it like any other, but once the node is dead nobody can. Invariant: no will is kept whole that
 * does not fit into the budget.
 */
import type { Logger } from '../src/core/ports/logger.ts'
import type { WillRecord } from '../src/core/ports/session-journal.ts'
import type { ClaimStats } from './claim-stats.ts'
import { encodeWill, isLeftOut } from './will-record.ts'

/** Bytes for the values of some 400,000 wills of the usual 100–200 B. */
const BYTES_MAX_DEFAULT = 64 * 1024 * 1024

export class WillBudget {
  readonly #bytesMax: number
  readonly #logger: Logger
  readonly #stats: ClaimStats
  #isOver = false

  /** `bytesMax` undefined: 64 MiB. */
  constructor(bytesMax: number | undefined, logger: Logger, stats: ClaimStats) {
    this.#bytesMax = bytesMax ?? BYTES_MAX_DEFAULT
    this.#logger = logger
    this.#stats = stats
  }

  /**
   * The value to be kept of a will, undefined for none; its length counts until it is given back. A will without an id could
   * not be told from itself when two nodes publish it: it stays with its owner alone. `dueAtMs` as in `encodeWill`.
   */
  take(will: WillRecord | undefined, dueAtMs?: number): Uint8Array | undefined {
    const id = will?.publication.id
    if (will === undefined || id === undefined) return undefined
    const whole = encodeWill(will, id, dueAtMs)
    const hasRoom = this.#stats.keptWillBytes + whole.length <= this.#bytesMax
    const value = hasRoom ? whole : encodeWill(will, id, dueAtMs, 0)
    if (isLeftOut(value)) this.#stats.willsLeftOut++
    this.#stats.keptWillBytes += value.length
    this.#note(!hasRoom)
    return value
  }

  /** A value of that length is kept no more, or was not kept after all. */
  giveBack(bytes: number): void {
    this.#stats.keptWillBytes -= bytes
  }

  /** Says so once, until there was room again. */
  #note(isOver: boolean): void {
    if (isOver && !this.#isOver) {
      this.#logger.warn(
        'wills of this node’s clients have no more room in the coordination store: they are not published when this node dies; raise sessions.keptWillBytesMax',
        { keptWillBytesMax: this.#bytesMax },
      )
    }
    this.#isOver = isOver
  }
}
