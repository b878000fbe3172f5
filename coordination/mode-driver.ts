/**
 * The leader's part in a switch of the subscription mode (PROTOCOLS section 8): reads what the members have done of the phase
 * on record, and writes the record that follows.
 *
 * All it knows is in the store, so a successor goes on where it stopped; only the patience begins anew. Invariant: every step
 * is fenced by the leader's term, and compares the record and the generation of the members it was judged by: a node that
 * joins in between is asked first.
 */
import { errorMessage } from '../src/core/errors.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { Random } from '../src/core/ports/random.ts'
import { Backoff } from './backoff.ts'
import type { CoordinationKeys } from './keys.ts'
import { isTransient, LeaderTerm, TermOver } from './leader-term.ts'
import { judgePhase } from './mode-judgement.ts'
import { decodeAck, encodeMode } from './mode-record.ts'
import type { ModeAck, ModeRecord } from './mode-record.ts'
import { isAtRevision } from './store-calls.ts'

interface DriverContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly keys: CoordinationKeys
  readonly follower: { readonly record: ModeRecord | undefined; readonly revision: number }
  /** Whether the store takes nothing lasting any more. */
  readonly isStoreFull: () => boolean
}

/** How often it looks, while a switch is under way and while none is. */
const BUSY_MS = 50
const IDLE_MS = 250

export class ModeDriver {
  readonly #context: DriverContext
  #term: LeaderTerm | undefined
  /** The epoch being waited for, and since when. */
  #waitingFor: { readonly epoch: number; readonly sinceMs: number } | undefined

  constructor(context: DriverContext) {
    this.#context = context
  }

  begin(number: number): void {
    this.end()
    const term = new LeaderTerm(this.#context, number)
    this.#term = term
    this.#waitingFor = undefined
    void this.#run(term)
  }

  end(): void {
    this.#term?.end()
    this.#term = undefined
  }

  /** Never rejects, except for a broken invariant. */
  async #run(term: LeaderTerm): Promise<void> {
    const { clock, random, logger, follower } = this.#context
    const backoff = new Backoff(clock, random, 200, 3000)
    while (!term.isOver) {
      try {
        await this.#step(term)
        backoff.reset()
        await term.pause(follower.record?.current === undefined ? IDLE_MS : BUSY_MS)
      } catch (error) {
        if (error instanceof TermOver || term.isOver) return
        if (!isTransient(error)) throw error
        logger.debug('the switch of the subscription mode waits for the coordination store', {
          reason: errorMessage(error),
        })
        await backoff.pause()
      }
    }
  }

  async #step(term: LeaderTerm): Promise<void> {
    const { store, clock, keys, follower, isStoreFull } = this.#context
    const { record, revision } = follower
    if (record?.current === undefined) return
    const { epoch, current } = record
    if (this.#waitingFor?.epoch !== epoch) this.#waitingFor = { epoch, sinceMs: clock.now() }
    const elapsedMs = clock.now() - this.#waitingFor.sinceMs
    // The generation first: whoever joins after it is read makes the write fail.
    const generation = (await term.read(store.get(keys.generation))).entry?.modRevision ?? 0
    const members = await term.read(store.range(keys.members))
    const lives = members.entries.map(({ key }) => key.slice(keys.members.length))
    const acks = await this.#acks(term)
    const nowMs = clock.wallNow()
    const next = judgePhase(record, current, { lives, acks, elapsedMs, isStoreFull: isStoreFull(), nowMs })
    if (next === undefined) return
    await term.write(
      [isAtRevision(keys.mode, revision), isAtRevision(keys.generation, generation)],
      [{ type: 'put', key: keys.mode, value: encodeMode(next) }],
    )
  }

  async #acks(term: LeaderTerm): Promise<ReadonlyMap<string, ModeAck>> {
    const { store, keys } = this.#context
    const acks = new Map<string, ModeAck>()
    for (const { key, value } of (await term.read(store.range(keys.modeAcks))).entries) {
      const ack = decodeAck(value)
      if (ack !== undefined) acks.set(key.slice(keys.modeAcks.length), ack)
    }
    return acks
  }
}
