/**
 * Goes through the session records, bucket by bucket: ends the sessions of dead lives when their time has come, publishes
 * their wills, counts everybody's.
 *
 * No more than one bucket is in memory. For each bucket it keeps when the next thing in it is due, so after one pass over all
 * of them a death costs reads only where something is to be done. Invariant: a session is never ended before its node's
 * death was noted plus its expiry interval, and one that expires later than its connection never while its node lives under
 * a newer incarnation, which has it on its disk and ends it itself. One without expiry is nobody's once its life is over.
 */
import type { ClientId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { CoordinationEntry, CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { Random } from '../src/core/ports/random.ts'
import { SESSION_BUCKETS, sessionBucket, type CoordinationKeys } from './keys.ts'
import type { DeathNote, LeaderDeaths, LifeSigns } from './leader-deaths.ts'
import type { LeaderTerm } from './leader-term.ts'
import { VERDICTS_MAX, type LeaderWills, type Verdict } from './leader-wills.ts'
import { decodeOwnership, type StoredOwnership } from './session-record.ts'
import { isAbsent, isAtRevision, resultOf } from './store-calls.ts'
import { decodeWill } from './will-record.ts'

interface SweepContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly random: Random
  readonly keys: CoordinationKeys
  readonly signs: LifeSigns
  readonly deaths: LeaderDeaths
  readonly wills: LeaderWills
}

/** What one pass over all buckets has counted. */
export interface Census {
  /** Wall clock ms at which the pass began. */
  readonly startedAtMs: number
  readonly endedAtMs: number
  /** Session records by the key of the note of death their owner's life has or would have. */
  readonly sessions: ReadonlyMap<string, number>
  /** The same by node. */
  readonly sessionsOfNode: ReadonlyMap<string, number>
}

export interface SweepStats {
  bucketsRead: number
  sessionsEnded: number
}

/** A dead life's session and when it is to be dealt with. */
interface Case {
  readonly clientId: ClientId
  readonly record: StoredOwnership
  readonly note: DeathNote
}

const EXPIRES_NEVER = 0xffff_ffff
/** Time between two passes that nothing but the count asks for. */
const CENSUS_INTERVAL_MS = 10 * 60_000
/**
 * Pauses after a bucket. At 10 million records, 2,441 of 250 B in a bucket: 100,000 records or 25 MB a second after a
 * death, for 100 s; 16,000 records or 4 MB a second for the count.
 */
const PAUSE_MS = 1
const PAUSE_PER_RECORD_MS = 0.01
const CENSUS_PAUSE_PER_RECORD_MS = 0.06
/** After a transaction of up to VERDICTS_MAX verdicts: at most 3,000 sessions ended or wills published a second. */
const WRITE_PAUSE_MS = 20

/** Value of the `lost/` key of a session that has ended. */
const ENDED = new TextEncoder().encode('{"by":"leader"}')

export class LeaderSweep {
  readonly stats: SweepStats = { bucketsRead: 0, sessionsEnded: 0 }
  readonly #context: SweepContext
  /** Wall clock ms at which something in the bucket may be due. */
  readonly #dueAtMs = new Float64Array(SESSION_BUCKETS)
  /** Buckets that come first, when they are due. */
  #first: number[] = []
  /** No bucket is due before. */
  #earliestMs = Infinity
  /** Notes of this term that have been heard of. */
  readonly #noted = new Set<string>()
  #cursor = 0
  /** Buckets the pass for the count still has to read; 0 when none is under way. */
  #toCount = 0
  #nextCensusAtMs = 0
  #counting = { startedAtMs: 0, sessions: new Map<string, number>(), nodes: new Map<string, number>() }
  #census: Census | undefined

  constructor(context: SweepContext) {
    this.#context = context
  }

  /** The last complete count of this term. */
  get census(): Census | undefined {
    return this.#census
  }

  /** A term begins: everything is read once, from anywhere, so that short terms do not always end at the same bucket. */
  open(): void {
    this.#cursor = this.#context.random.uint32() % SESSION_BUCKETS
    this.#dueAtMs.fill(Infinity)
    this.#earliestMs = Infinity
    this.#noted.clear()
    this.#first = []
    this.#census = undefined
    this.#toCount = 0
    this.#nextCensusAtMs = 0
  }

  /** Whether nothing is due in any bucket. */
  get isCaughtUp(): boolean {
    return this.#nextDue() === undefined
  }

  /** A life is dead: once the note is ripe there is something to do in any bucket. Notes known already change nothing. */
  onNote(note: DeathNote): void {
    const name = `${note.key}@${note.modRevision}`
    if (this.#noted.has(name)) return
    this.#noted.add(name)
    const atMs = this.#context.deaths.ripeAtMs(note)
    for (let bucket = 0; bucket < SESSION_BUCKETS; bucket++) this.#wake(bucket, atMs)
  }

  /** The buckets of these clients come before all others. */
  advance(clientIds: readonly ClientId[]): void {
    const buckets = clientIds.map(sessionBucket)
    this.#first = [...new Set([...buckets, ...this.#first])]
  }

  /**
   * Reads the next bucket in which something may be due, or the next of the count, does what is to be done there, and
   * pauses. False when there is none now. Throws as `LeaderTerm.write`; the bucket is read again then.
   */
  async step(term: LeaderTerm): Promise<boolean> {
    const bucket = this.#nextBucket()
    if (bucket === undefined) return false
    const isDue = this.#isDue(bucket)
    const { store, keys } = this.#context
    const { entries } = await term.read(store.range(keys.sessionsBucket(bucket)))
    this.stats.bucketsRead++
    // Before it is dealt with: what is noted meanwhile must not be overwritten.
    this.#dueAtMs[bucket] = Infinity
    try {
      await this.#deal(term, bucket, entries)
    } catch (error) {
      this.#wake(bucket, 0)
      throw error
    }
    if (this.#toCount > 0 && bucket === this.#cursor) this.#count(entries)
    await term.pause(PAUSE_MS + entries.length * (isDue ? PAUSE_PER_RECORD_MS : CENSUS_PAUSE_PER_RECORD_MS))
    return true
  }

  #isDue(bucket: number): boolean {
    return (this.#dueAtMs[bucket] ?? Infinity) <= this.#context.clock.wallNow()
  }

  #nextBucket(): number | undefined {
    const { clock } = this.#context
    if (this.#toCount === 0 && clock.now() >= this.#nextCensusAtMs) {
      this.#toCount = SESSION_BUCKETS
      this.#counting = { startedAtMs: clock.wallNow(), sessions: new Map(), nodes: new Map() }
    }
    return this.#nextDue() ?? (this.#toCount > 0 ? this.#cursor : undefined)
  }

  /** The next one due from the cursor on, which the count thereby takes along. */
  #nextDue(): number | undefined {
    const nowMs = this.#context.clock.wallNow()
    while (this.#first.length > 0) {
      const bucket = this.#first[0] as number
      if ((this.#dueAtMs[bucket] ?? Infinity) <= nowMs) return bucket
      this.#first.shift()
    }
    if (nowMs < this.#earliestMs) return undefined
    let earliestMs = Infinity
    for (let i = 0; i < SESSION_BUCKETS; i++) {
      const bucket = (this.#cursor + i) % SESSION_BUCKETS
      const dueAtMs = this.#dueAtMs[bucket] ?? Infinity
      if (dueAtMs <= nowMs) return bucket
      if (dueAtMs < earliestMs) earliestMs = dueAtMs
    }
    this.#earliestMs = earliestMs
    return undefined
  }

  #count(entries: readonly CoordinationEntry[]): void {
    const { sessions, nodes, startedAtMs } = this.#counting
    for (const entry of entries) {
      const record = decodeOwnership(entry)
      if (record === undefined) continue
      const life = this.#context.keys.dead(record.node, record.incarnation)
      sessions.set(life, (sessions.get(life) ?? 0) + 1)
      nodes.set(record.node, (nodes.get(record.node) ?? 0) + 1)
    }
    this.#cursor = (this.#cursor + 1) % SESSION_BUCKETS
    if (--this.#toCount > 0) return
    const { clock } = this.#context
    this.#census = { startedAtMs, endedAtMs: clock.wallNow(), sessions, sessionsOfNode: nodes }
    this.#nextCensusAtMs = clock.now() + CENSUS_INTERVAL_MS
  }

  async #deal(term: LeaderTerm, bucket: number, entries: readonly CoordinationEntry[]): Promise<void> {
    const cases = this.#casesOf(bucket, entries)
    for (let at = 0; at < cases.length; at += VERDICTS_MAX) {
      const page = cases.slice(at, at + VERDICTS_MAX)
      const wills = await this.#readWills(term, page)
      const verdicts = page.flatMap((found, index) => this.#judge(bucket, found, wills[index]) ?? [])
      if (verdicts.length === 0) continue
      const held = await this.#context.wills.carryOut(term, verdicts)
      this.stats.sessionsEnded += verdicts.filter(({ operations }) => operations.length > 0).length
      // What did not hold has changed meanwhile: the bucket is looked at once more.
      if (held < verdicts.length) this.#wake(bucket, this.#context.clock.wallNow())
      await term.pause(WRITE_PAUSE_MS)
    }
  }

  /** The sessions of lives whose note is ripe; for others, when it is. Lives that are missed without a note get one. */
  #casesOf(bucket: number, entries: readonly CoordinationEntry[]): Case[] {
    const { keys, signs, deaths, clock } = this.#context
    const prefix = keys.sessionsBucket(bucket)
    const nowMs = clock.wallNow()
    const cases: Case[] = []
    for (const entry of entries) {
      const record = decodeOwnership(entry)
      if (record === undefined || signs.isLive(record.node, record.incarnation)) continue
      const note = deaths.noteOf(record.node, record.incarnation)
      if (note === undefined) deaths.miss({ nodeId: record.node, incarnation: record.incarnation })
      else if (deaths.ripeAtMs(note) > nowMs) this.#wake(bucket, deaths.ripeAtMs(note))
      else cases.push({ clientId: entry.key.slice(prefix.length), record, note })
    }
    return cases
  }

  async #readWills(term: LeaderTerm, page: readonly Case[]): Promise<(CoordinationEntry | undefined)[]> {
    const { store, keys } = this.#context
    const success = page.map(({ clientId, record }) => ({
      type: 'get' as const,
      key: keys.will(record.node, record.incarnation, clientId),
    }))
    const outcome = await term.read(store.transact({ compare: [], success, failure: [] }))
    return resultOf(outcome).results.map(answer => (answer.type === 'get' ? answer.entry : undefined))
  }

  /** What is to be done about a session now; when nothing is, its bucket is looked at again in time. */
  #judge(bucket: number, found: Case, will: CoordinationEntry | undefined): Verdict | undefined {
    const { keys, clock } = this.#context
    const { clientId, record } = found
    const nowMs = clock.wallNow()
    const endsAtMs = this.#endsAtMs(found)
    const willAtMs = will === undefined ? Infinity : this.#willAtMs(found, will)
    const isEnded = endsAtMs <= nowMs
    const isWillDue = willAtMs <= nowMs
    if (!isEnded) this.#wake(bucket, endsAtMs)
    if (!isEnded && !isWillDue) this.#wake(bucket, willAtMs)
    if (!isEnded && !isWillDue) return undefined
    const key = keys.session(clientId)
    // A life that only could not reach the store still serves the client; it is told so when it returns.
    const lostKey = keys.lost(record.node, record.incarnation, clientId)
    return {
      compare: [
        isAtRevision(key, record.modRevision),
        isAbsent(keys.member(record.node, record.incarnation)),
        ...(will === undefined ? [] : [isAtRevision(will.key, will.modRevision)]),
      ],
      operations: isEnded
        ? [
            { type: 'delete', key },
            { type: 'put', key: lostKey, value: ENDED },
          ]
        : [],
      will,
    }
  }

  /** Wall clock ms; Infinity: not by the leader. */
  #endsAtMs({ record, note }: Case): number {
    if (record.expiry === 0) return note.atMs
    const isBack = this.#context.signs.liveIncarnation(record.node) !== undefined
    return isBack || record.expiry === EXPIRES_NEVER ? Infinity : note.atMs + record.expiry * 1000
  }

  /** min(will delay, session expiry) after the loss of the connection [MQTT-3.1.3-9]; what cannot be read goes at once. */
  #willAtMs({ record, note }: Case, { value }: CoordinationEntry): number {
    const kept = decodeWill(value)
    if (kept === undefined) return note.atMs
    const delaySeconds = Math.min(kept.will?.delaySeconds ?? 0, record.expiry)
    return kept.dueAtMs ?? note.atMs + delaySeconds * 1000
  }

  #wake(bucket: number, atMs: number): void {
    if ((this.#dueAtMs[bucket] ?? Infinity) > atMs) this.#dueAtMs[bucket] = atMs
    if (atMs < this.#earliestMs) this.#earliestMs = atMs
  }
}
