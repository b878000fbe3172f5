/**
 * Wills of dead nodes' clients, published by the leader exactly once (PROTOCOLS section 10).
 *
 * What is due is first moved from `wills/` to `firing/` in the leader's fenced transaction, which finds the will and the
 * client's record unchanged, then published, then forgotten. Invariant: what stands in `firing/` was decided for good: it is
 * published, by this leader or a later one, always under the id it got from its first owner, by which every node drops what
 * it has had already.
 */
import { errorMessage } from '../src/core/errors.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type {
  CoordinationCompare,
  CoordinationEntry,
  CoordinationOperation,
  CoordinationStore,
} from '../src/core/ports/coordination-store.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { WillRecord } from '../src/core/ports/session-journal.ts'
import type { CoordinationKeys } from './keys.ts'
import type { LeaderTerm } from './leader-term.ts'
import { isAtRevision } from './store-calls.ts'
import { decodeWill } from './will-record.ts'

/** Publishes a will under its publication's id, retained included; resolves when every node it concerns has it. */
export type PublishWill = (will: WillRecord) => Promise<void>

interface WillsContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly logger: Logger
  readonly keys: CoordinationKeys
  readonly publish: PublishWill
}

export interface LeaderWillStats {
  /** Wills of dead nodes' clients published by this node as leader, repeats included. */
  published: number
  /** Those that could not be, because they were too large to be kept. */
  leftOut: number
}

/** A decision about one client of a dead node; carried out if everything it saw is unchanged. */
export interface Verdict {
  /** The session's record, the will, the owner's member key. */
  readonly compare: readonly CoordinationCompare[]
  /** Deleting the record, or nothing. */
  readonly operations: readonly CoordinationOperation[]
  /** The will to be published. */
  readonly will: CoordinationEntry | undefined
}

/** Verdicts of one transaction: well below its bound on operations, and 256 KiB of wills of the largest size. */
export const VERDICTS_MAX = 60
/** How long nodes may take to accept a will before the leader goes on; it is repeated later. */
const ACCEPTANCE_MS = 10_000
/** How often `firing/`, normally empty, is looked at for what an earlier attempt left. */
const RECOVER_INTERVAL_MS = 30_000

export class LeaderWills {
  readonly stats: LeaderWillStats = { published: 0, leftOut: 0 }
  readonly #context: WillsContext
  #recoverAtMs = 0

  constructor(context: WillsContext) {
    this.#context = context
  }

  /** A term begins. */
  open(): void {
    this.#recoverAtMs = 0
  }

  /**
   * Carries verdicts out, at most VERDICTS_MAX, and publishes their wills. Answers how many held. Throws as
   * `LeaderTerm.write`.
   */
  async carryOut(term: LeaderTerm, verdicts: readonly Verdict[]): Promise<number> {
    const firings = verdicts.map(({ will }) => will && this.#firing(will))
    const success = verdicts.map(({ compare, operations, will }, index): CoordinationOperation => {
      const firing = firings[index]
      const fire: CoordinationOperation[] = []
      if (will !== undefined) fire.push({ type: 'delete', key: will.key })
      if (will !== undefined && firing !== undefined) {
        fire.push({ type: 'put', key: firing, value: will.value })
      }
      const transaction = { compare, success: [...operations, ...fire], failure: [] }
      return { type: 'transaction', transaction }
    })
    // Should the answer be lost, what was decided is found in `firing/`.
    this.#recoverAtMs = 0
    const result = await term.write([], success)
    this.#recoverAtMs = this.#context.clock.now() + RECOVER_INTERVAL_MS
    if (result === undefined) return 0
    const held = verdicts.map((_, index) => {
      const answer = result.results[index]
      return answer?.type === 'transaction' && answer.result.succeeded
    })
    const due = verdicts.flatMap(({ will }, index): CoordinationEntry[] => {
      const key = firings[index]
      if (will === undefined || held[index] !== true) return []
      if (key === undefined) {
        this.#context.logger.warn('a will that cannot be read was dropped', { key: will.key })
        return []
      }
      return [{ ...will, key, createRevision: result.revision, modRevision: result.revision }]
    })
    await this.#publishAll(term, due)
    return held.filter(Boolean).length
  }

  /** Publishes what an earlier leader, or an attempt whose answer was lost, has left in `firing/`. Throws as `LeaderTerm.write`. */
  async recover(term: LeaderTerm): Promise<void> {
    const { store, keys, clock } = this.#context
    if (clock.now() < this.#recoverAtMs) return
    const { entries } = await term.read(store.range(keys.firings))
    for (let at = 0; at < entries.length; at += VERDICTS_MAX) {
      await this.#publishAll(term, entries.slice(at, at + VERDICTS_MAX))
    }
    this.#recoverAtMs = clock.now() + RECOVER_INTERVAL_MS
  }

  /** Undefined when the value is no will of this version. */
  #firing({ value }: CoordinationEntry): string | undefined {
    const id = decodeWill(value)?.id
    return id && this.#context.keys.firing(id.incarnation, id.number)
  }

  /** Publishes, then forgets what was accepted. */
  async #publishAll(term: LeaderTerm, firings: readonly CoordinationEntry[]): Promise<void> {
    if (firings.length === 0) return
    const done = new Set<CoordinationEntry>()
    const attempts = firings.map(async firing => {
      if (await this.#publish(firing)) done.add(firing)
    })
    await this.#waitFor(attempts)
    if (done.size < firings.length) this.#recoverAtMs = this.#context.clock.now() + RECOVER_INTERVAL_MS
    if (done.size === 0) return
    await term.write(
      [],
      Array.from(done, ({ key, modRevision }) => ({
        type: 'transaction',
        transaction: {
          compare: [isAtRevision(key, modRevision)],
          success: [{ type: 'delete', key }],
          failure: [],
        },
      })),
    )
  }

  /** False when it is to be repeated later. Never rejects. */
  async #publish({ key, value }: CoordinationEntry): Promise<boolean> {
    const { logger, publish } = this.#context
    const kept = decodeWill(value)
    if (kept?.will === undefined) {
      this.stats.leftOut++
      logger.warn('the will of a dead node’s client is lost: it was too large to be kept beside its owner', {
        key,
      })
      return true
    }
    try {
      this.stats.published++
      await publish(kept.will)
      return true
    } catch (error) {
      logger.warn('a will could not be published; it is tried again', { key, reason: errorMessage(error) })
      return false
    }
  }

  async #waitFor(attempts: readonly Promise<void>[]): Promise<void> {
    const all = Promise.all(attempts)
    await new Promise<void>(resolve => {
      const timer = this.#context.clock.schedule(ACCEPTANCE_MS, resolve)
      void all.then(() => {
        timer.cancel()
        resolve()
      })
    })
  }
}
