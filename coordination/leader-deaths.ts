/**
 * The notes of death (`dead/…`): which lives of nodes are over, and since when.
 *
 * Every process remembers whom it saw vanish, so that one that comes to lead knows of a leader's death, too; what it did not
 * see it learns from the records that name a life that is not there. Invariant: a note is written only while the life has
 * no member key and no promise to it is in force, and is taken back when that very life returns; nothing is done to what a
 * life left behind before the note is ripe.
 */
import type { Incarnation, NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type {
  CoordinationEntry,
  CoordinationStore,
  CoordinationWatch,
} from '../src/core/ports/coordination-store.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { CoordinationKeys, LifeName } from './keys.ts'
import type { LeaderTerm } from './leader-term.ts'
import { parseRecord } from './member-record.ts'
import { isAbsent, isAtRevision, isPresent } from './store-calls.ts'

export interface DeathNote extends LifeName {
  readonly key: string
  readonly modRevision: number
  /** Wall clock ms at which the death was noticed. */
  readonly atMs: number
  /** The node had nothing left when it went. */
  readonly isDrained: boolean
}

/** What is known of the living. */
export interface LifeSigns {
  isLive(nodeId: NodeId, incarnation: Incarnation): boolean
  /** The newest live incarnation of the node. */
  liveIncarnation(nodeId: NodeId): Incarnation | undefined
  /** False while a promise to that life is in force: it may be serving though its member key is gone. */
  mayTakeFrom(nodeId: NodeId, incarnation: Incarnation): boolean
}

interface DeathsContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly logger: Logger
  readonly keys: CoordinationKeys
  readonly signs: LifeSigns
}

/** A node that only lost its lease registers again within this, if it reaches the store at all. */
export const RETURN_GRACE_MS = 3000
/** Lives that are missed and not noted; records name those forgotten here. */
const MISSED_MAX = 1024

export class LeaderDeaths {
  readonly #context: DeathsContext
  /** By key of the note. */
  #notes = new Map<string, DeathNote>()
  /** Lives without a member key that have no note as far as is known, by key of the note. */
  readonly #missed = new Map<string, LifeName>()
  #watch: CoordinationWatch | undefined
  #isKnown = false

  constructor(context: DeathsContext) {
    this.#context = context
  }

  /** A term begins. `onChanged`: the notes are others than before. */
  open(onChanged: () => void): void {
    const { store, keys } = this.#context
    this.#isKnown = false
    this.#notes = new Map()
    this.#watch = store.watch(keys.deads, {
      onReset: entries => {
        this.#notes = new Map()
        for (const entry of entries) this.#put(entry)
        this.#isKnown = true
        onChanged()
      },
      onEvents: events => {
        for (const event of events) {
          if (event.type === 'put') this.#put(event.entry)
          else this.#notes.delete(event.key)
        }
        onChanged()
      },
    })
  }

  close(): void {
    this.#watch?.close()
    this.#watch = undefined
    this.#isKnown = false
    this.#notes = new Map()
  }

  get notes(): Iterable<DeathNote> {
    return this.#notes.values()
  }

  /** The note of a life that is dead and has not come back. */
  noteOf(nodeId: NodeId, incarnation: Incarnation): DeathNote | undefined {
    const note = this.#notes.get(this.#context.keys.dead(nodeId, incarnation))
    return note !== undefined && !this.#context.signs.isLive(nodeId, incarnation) ? note : undefined
  }

  /** Wall clock ms from which the life does not return; what it left behind may be dealt with then. */
  ripeAtMs({ nodeId, incarnation, atMs, isDrained }: DeathNote): number {
    const isSucceeded = (this.#context.signs.liveIncarnation(nodeId) ?? 0) > incarnation
    return isDrained || isSucceeded ? atMs : atMs + RETURN_GRACE_MS
  }

  /** A member key vanished, or a record names a life that is not there. To be noted when this node leads. */
  miss(life: LifeName): void {
    const key = this.#context.keys.dead(life.nodeId, life.incarnation)
    if (this.#missed.has(key) || this.#notes.has(key)) return
    const [oldest] = this.#missed.keys()
    if (this.#missed.size >= MISSED_MAX && oldest !== undefined) this.#missed.delete(oldest)
    this.#missed.set(key, life)
  }

  /** Writes the notes that are due and takes back those of lives that returned. Throws as `LeaderTerm.write`. */
  async update(term: LeaderTerm): Promise<void> {
    if (!this.#isKnown) return
    for (const [key, life] of [...this.#missed]) {
      const { nodeId, incarnation } = life
      const isSettled = this.#notes.has(key) || this.#context.signs.isLive(nodeId, incarnation)
      if (!isSettled && !this.#context.signs.mayTakeFrom(nodeId, incarnation)) continue
      if (!isSettled) await this.#note(term, key, life)
      this.#missed.delete(key)
    }
    for (const note of [...this.#notes.values()]) {
      // A node that has drained writes its note while it is still there.
      const isBack = !note.isDrained && this.#context.signs.isLive(note.nodeId, note.incarnation)
      if (isBack) await this.#takeBack(term, note)
    }
  }

  /** Not written when the life is there after all, or somebody noted it before. */
  async #note(term: LeaderTerm, key: string, { nodeId, incarnation }: LifeName): Promise<void> {
    const { keys, clock, logger } = this.#context
    const note = { atMs: clock.wallNow(), drained: false }
    const value = new TextEncoder().encode(JSON.stringify(note))
    const compare = [isAbsent(keys.member(nodeId, incarnation)), isAbsent(key)]
    const result = await term.write(compare, [{ type: 'put', key, value }])
    if (result === undefined) return
    logger.info('a node is dead: its wills are published and its sessions end when their time has come', {
      nodeId,
      incarnation,
    })
    const written = { key, value, createRevision: result.revision, modRevision: result.revision }
    this.#put({ ...written, leaseId: '0' })
  }

  async #takeBack(term: LeaderTerm, { key, modRevision, nodeId, incarnation }: DeathNote): Promise<void> {
    const compare = [
      isPresent(this.#context.keys.member(nodeId, incarnation)),
      isAtRevision(key, modRevision),
    ]
    const result = await term.write(compare, [{ type: 'delete', key }])
    if (result !== undefined) this.#notes.delete(key)
  }

  #put({ key, value, modRevision }: CoordinationEntry): void {
    const known = this.#notes.get(key)
    if (known !== undefined && known.modRevision >= modRevision) return
    const life = this.#context.keys.parseDead(key)
    const { atMs, drained } = parseRecord(value) ?? {}
    if (life === undefined || typeof atMs !== 'number') {
      this.#context.logger.warn('a note of death is not as this version writes it, and is ignored', { key })
      return
    }
    this.#notes.set(key, { ...life, key, modRevision, atMs, isDrained: drained === true })
    this.#missed.delete(key)
  }
}

/** Value of the note a node leaves of itself when it goes with nothing left. */
export function encodeDrained(atMs: number): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ atMs, drained: true }))
}
