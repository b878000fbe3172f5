/**
 * What the leader does for the cluster (PROTOCOLS section 12), as long as its term lasts: notes the dead, publishes their
 * wills, ends their sessions, tidies up, compacts the store, counts.
 *
 * It paces and orders the duties; each has its own file. Invariant: one loop per term, no two duties at once, and after the
 * term nothing more is begun or written. A successor needs nothing of it: whatever was half done is found in the store.
 */
import { errorMessage } from '../src/core/errors.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { LeaderCensus } from '../src/core/ports/node-control.ts'
import type { Random } from '../src/core/ports/random.ts'
import { Backoff } from './backoff.ts'
import type { CoordinationKeys, LifeName } from './keys.ts'
import { LeaderCompaction, type CompactionStats } from './leader-compaction.ts'
import { type DeathNote, LeaderDeaths, type LifeSigns } from './leader-deaths.ts'
import { LeaderHousekeeping, type HousekeepingStats } from './leader-housekeeping.ts'
import { LeaderLeftovers } from './leader-leftovers.ts'
import { LeaderSweep, type Census, type SweepStats } from './leader-sweep.ts'
import { isTransient, LeaderTerm, TermOver } from './leader-term.ts'
import { LeaderWills, type LeaderWillStats, type PublishWill } from './leader-wills.ts'

interface DutiesContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly keys: CoordinationKeys
  readonly signs: LifeSigns
  readonly publish: PublishWill
}

/** When nothing is due the leader looks again after this. */
const IDLE_MS = 250

export class LeaderDuties {
  readonly #context: DutiesContext
  readonly #deaths: LeaderDeaths
  readonly #wills: LeaderWills
  readonly #sweep: LeaderSweep
  readonly #leftovers: LeaderLeftovers
  readonly #housekeeping: LeaderHousekeeping
  readonly #compaction: LeaderCompaction
  #lives: readonly LifeName[] = []
  #term: LeaderTerm | undefined
  #tidied: Census | undefined
  /** Notes whose lives' sessions have all been looked at in this term, and their leftovers after that. */
  readonly #searched = new Set<string>()
  /** Notes whose lives' wills have been given precedence in this term. */
  readonly #hastened = new Set<string>()

  constructor(context: DutiesContext) {
    this.#context = context
    this.#deaths = new LeaderDeaths(context)
    this.#wills = new LeaderWills(context)
    const shared = { ...context, deaths: this.#deaths, wills: this.#wills }
    this.#sweep = new LeaderSweep(shared)
    this.#leftovers = new LeaderLeftovers(shared)
    this.#housekeeping = new LeaderHousekeeping({ ...shared, leftovers: this.#leftovers })
    this.#compaction = new LeaderCompaction(context)
  }

  get stats(): Readonly<SweepStats & LeaderWillStats & HousekeepingStats & CompactionStats> {
    return {
      ...this.#sweep.stats,
      ...this.#wills.stats,
      ...this.#housekeeping.stats,
      ...this.#compaction.stats,
    }
  }

  /** Undefined while this node does not lead. */
  get census(): LeaderCensus | undefined {
    if (this.#term === undefined) return undefined
    const { census } = this.#sweep
    const dead = Array.from(this.#deaths.notes, ({ nodeId, incarnation, atMs }) => {
      return { nodeId, incarnation, atMs }
    })
    const { sessionsOfNode, endedAtMs: countedAtMs } = census ?? {}
    return { sessionsOfNode, countedAtMs, store: this.#compaction.size, dead }
  }

  /** The lives that are members now. Every process remembers who vanished, for it may come to lead. */
  onMembersChanged(lives: readonly LifeName[]): void {
    for (const life of this.#lives) {
      if (!this.#context.signs.isLive(life.nodeId, life.incarnation)) this.#deaths.miss(life)
    }
    this.#lives = lives.map(({ nodeId, incarnation }) => ({ nodeId, incarnation }))
  }

  begin(number: number): void {
    this.end()
    const term = new LeaderTerm(this.#context, number)
    this.#term = term
    this.#wills.open()
    this.#sweep.open()
    this.#compaction.open()
    this.#searched.clear()
    this.#hastened.clear()
    this.#deaths.open(() => this.#onNotes())
    void this.#run(term)
  }

  end(): void {
    this.#term?.end()
    this.#term = undefined
    this.#deaths.close()
  }

  #onNotes(): void {
    for (const note of this.#deaths.notes) this.#sweep.onNote(note)
  }

  /** Never rejects, except for a broken invariant. */
  async #run(term: LeaderTerm): Promise<void> {
    const { clock, random, logger } = this.#context
    const backoff = new Backoff(clock, random, 200, 3000)
    while (!term.isOver) {
      try {
        const isBusy = await this.#step(term)
        backoff.reset()
        if (!isBusy) await term.pause(IDLE_MS)
      } catch (error) {
        if (error instanceof TermOver || term.isOver) return
        if (!isTransient(error)) throw error
        logger.debug('a duty of the leader waits for the coordination store', { reason: errorMessage(error) })
        await backoff.pause()
      }
    }
  }

  /** False when nothing is due. */
  async #step(term: LeaderTerm): Promise<boolean> {
    await this.#wills.recover(term)
    await this.#deaths.update(term)
    await this.#compaction.step(term)
    await this.#hasten(term)
    const isBusy = await this.#sweep.step(term)
    if (this.#sweep.isCaughtUp) await this.#searchLeftovers(term)
    const { census } = this.#sweep
    if (census !== undefined && census !== this.#tidied) {
      await this.#housekeeping.run(term, census)
      this.#tidied = census
    }
    return isBusy
  }

  /** Whoever waits for a will should not wait for a pass over all sessions. */
  async #hasten(term: LeaderTerm): Promise<void> {
    for (const [name, note] of this.#ripeBut(this.#hastened)) {
      this.#sweep.advance(await this.#leftovers.clientsWithWills(term, note))
      this.#hastened.add(name)
    }
  }

  async #searchLeftovers(term: LeaderTerm): Promise<void> {
    for (const [name, note] of this.#ripeBut(this.#searched)) {
      if (!this.#sweep.isCaughtUp) return
      await this.#leftovers.run(term, note)
      this.#searched.add(name)
    }
  }

  /** By name. */
  #ripeBut(done: ReadonlySet<string>): readonly (readonly [string, DeathNote])[] {
    const nowMs = this.#context.clock.wallNow()
    return [...this.#deaths.notes]
      .filter(note => this.#deaths.ripeAtMs(note) <= nowMs)
      .map(note => [`${note.key}@${note.modRevision}`, note] as const)
      .filter(([name]) => !done.has(name))
  }
}
