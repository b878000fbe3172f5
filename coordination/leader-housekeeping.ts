/**
 * Deletes what dead lives have left in the coordination store and nobody can need any more.
 *
 * `lost/` keys of a life tell that very life, when it returns, what it no longer owns: they may go once a newer life of the
 * node is registered, beside which it cannot register again. Its `relies/` key keeps others from taking what it holds by
 * promises: it may go when, after that, something may be taken from it. A note of death may go when no record names its life,
 * no will of it is left, and those keys are gone. So a node that never returns leaves one note, one `relies/` key and the
 * `lost/` keys of what was taken from its last life; nothing grows by time or by restarts.
 * Invariant: it acts on a whole census only, begun after the note was written.
 */
import { limits } from '../src/core/limits.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { CoordinationKeys, LifeName } from './keys.ts'
import type { DeathNote, LeaderDeaths, LifeSigns } from './leader-deaths.ts'
import type { LeaderLeftovers } from './leader-leftovers.ts'
import type { Census } from './leader-sweep.ts'
import type { LeaderTerm } from './leader-term.ts'
import { isAtRevision } from './store-calls.ts'

interface HousekeepingContext {
  readonly store: CoordinationStore
  readonly keys: CoordinationKeys
  readonly signs: LifeSigns
  readonly deaths: LeaderDeaths
  readonly leftovers: LeaderLeftovers
}

export interface HousekeepingStats {
  /** Keys `lost/`, `relies/` and `dead/` deleted. */
  keysDeleted: number
}

/** Between transactions of `limits.coordinationTransactionOpsMax` deletes: 1,280 keys a second. */
const PAUSE_MS = 100
/** How often it is asked whether something may be taken from a life; asked again after the next census. */
const LOOKS = 5

export class LeaderHousekeeping {
  readonly stats: HousekeepingStats = { keysDeleted: 0 }
  readonly #context: HousekeepingContext

  constructor(context: HousekeepingContext) {
    this.#context = context
  }

  /** Throws as `LeaderTerm.write`; what is left is found again after the next census. */
  async run(term: LeaderTerm, census: Census): Promise<void> {
    for (const note of [...this.#context.deaths.notes]) {
      if (note.atMs <= census.startedAtMs) await this.#tidy(term, note, census.sessions.get(note.key) ?? 0)
    }
  }

  async #tidy(term: LeaderTerm, note: DeathNote, sessions: number): Promise<void> {
    const { keys, signs } = this.#context
    const { nodeId, incarnation, isDrained } = note
    const isSucceeded = (signs.liveIncarnation(nodeId) ?? 0) > incarnation
    if (isSucceeded) await this.#deleteAll(term, keys.lostOf(nodeId, incarnation))
    if (sessions > 0) return
    if ((await this.#context.leftovers.run(term, note)) > 0) return
    // Without a successor the note is what the `lost/` keys are found by.
    if (!isSucceeded && !isDrained) return
    if (!isDrained && !(await this.#mayTakeFrom(term, note))) return
    const { key, modRevision } = note
    const relies = keys.relies(nodeId, incarnation)
    const result = await term.write(
      [isAtRevision(key, modRevision)],
      [
        { type: 'delete', key },
        { type: 'delete', key: relies },
      ],
    )
    for (const answer of result?.results ?? []) {
      if (answer.type === 'delete') this.stats.keysDeleted += answer.deleted
    }
  }

  /** The answer is no at first, until it was looked into. */
  async #mayTakeFrom(term: LeaderTerm, { nodeId, incarnation }: LifeName): Promise<boolean> {
    for (let look = 0; look < LOOKS; look++) {
      if (this.#context.signs.mayTakeFrom(nodeId, incarnation)) return true
      await term.pause(PAUSE_MS)
    }
    return false
  }

  async #deleteAll(term: LeaderTerm, prefix: string): Promise<void> {
    const { entries } = await term.read(this.#context.store.range(prefix))
    const pageSize = limits.coordinationTransactionOpsMax
    for (let at = 0; at < entries.length; at += pageSize) {
      const page = entries.slice(at, at + pageSize)
      await term.write(
        [],
        page.map(({ key }) => ({ type: 'delete', key })),
      )
      this.stats.keysDeleted += page.length
      await term.pause(PAUSE_MS)
    }
  }
}
