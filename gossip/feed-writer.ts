/**
 * Writes this node's interest as records for others to read: its deltas as a log, and now and then the whole, so that the log
 * may be cut short.
 *
 * One write is under way at a time; deltas made meanwhile go with the next, and go before whatever is left of a snapshot.
 * Of a snapshot only the segments that changed since the last one are written. Invariant: base and log there always amount to
 * what this node announced up to the end of the log, without gap, or the writer has begun anew.
 */
import { limits } from '../src/core/limits.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type {
  InterestRecord,
  InterestRecordChange,
  InterestRecords,
} from '../src/core/ports/interest-records.ts'
import { decodeDelta } from './delta-codec.ts'
import {
  BASE_NAME,
  encodeBase,
  encodeLog,
  logName,
  patternsName,
  segmentName,
  splitValue,
} from './feed-codec.ts'
import { encodePatterns, encodeSegments } from './interest-frame-codec.ts'
import type { InterestPull } from './interest-frame-codec.ts'
import type { LocalInterest } from './local-interest.ts'
import type { Pattern } from './pattern-codec.ts'
import type { Segment } from './segment-codec.ts'

export interface FeedWriterComponents {
  readonly records: Pick<InterestRecords, 'clear' | 'write'>
  readonly clock: Clock
  readonly local: Pick<LocalInterest, 'repairFor' | 'checksums'>
  /** `isWritten` changed, or the store had no room. */
  readonly onChanged: (fault: 'full' | undefined) => void
}

interface Queued {
  readonly message: Uint8Array
  readonly firstSequence: number
  readonly lastSequence: number
}

/** A value of the log. */
interface Logged {
  readonly names: readonly string[]
  readonly lastSequence: number
  readonly bytes: number
}

/** What the snapshot there amounts to, and its records, for the next one to replace. */
interface Written extends InterestPull {
  readonly segments: ReadonlyMap<number, KeptRecord>
  readonly patterns: PatternRecords<KeptRecord>
}

/** A record that is there, without its value. */
interface KeptRecord {
  readonly name: string
  readonly bytes: number
}

/** All patterns of one moment. */
interface PatternRecords<R> {
  readonly set: number
  readonly values: number
  readonly records: readonly R[]
}

/** A snapshot on its way: what is left to write. */
interface Snapshot {
  readonly writes: (readonly InterestRecordChange[])[]
  readonly written: Written
  /** Of the records it puts, the base left out. */
  readonly names: readonly string[]
  /** What of the log it deletes. */
  readonly superseded: ReadonlySet<Logged>
}

/** Least time between the beginnings of two writes of the log. */
const WRITE_INTERVAL_MS = 50
/** Without changes something is written so often, to find out whether everything is still there. */
const PROBE_INTERVAL_MS = 5000
const LOG_BYTES_MIN = 64 * 1024
const PATTERN_BYTES = 256
const LOG_VALUE_BYTES = 4 * limits.routeValueBytesMax

const NOTHING: Written = {
  generation: 0,
  patternCount: 0,
  patternChecksum: 0,
  checksums: new Uint32Array(0),
  segments: new Map(),
  patterns: { set: 0, values: 0, records: [] },
}

export class FeedWriter {
  readonly #components: FeedWriterComponents
  #run: object | undefined
  #queue: Queued[] = []
  #queueBytes = 0
  #log: Logged[] = []
  #logBytes = 0
  #written: Written = NOTHING
  #snapshot: Snapshot | undefined
  /** Pattern sets numbered so far, those never completed included. */
  #patternSets = 0
  /** Names of records that snapshots given up halfway may have left. */
  #orphans: readonly string[] = []
  #isSnapshotDue = true
  /** What is there is complete. */
  #isWritten = false
  /** Settles when nothing begun before is under way. */
  #last: Promise<unknown> = Promise.resolve()
  #wake = (): void => {}

  constructor(components: FeedWriterComponents) {
    this.#components = components
  }

  get isRunning(): boolean {
    return this.#run !== undefined
  }

  /** Whether what is there is complete: others can begin with it. */
  get isWritten(): boolean {
    return this.#isWritten
  }

  /** Begins with the whole interest. Idempotent. */
  start(): void {
    if (this.#run !== undefined) return
    const run = {}
    this.#run = run
    this.#last = this.#last.then(() => this.#work(run))
  }

  /** Leaves what is there; `erase` removes it. */
  stop(): void {
    this.#run = undefined
    this.#isWritten = false
    this.#forget()
    this.#queue = []
    this.#queueBytes = 0
    this.#wake()
  }

  /** After `stop`: removes what is there. */
  erase(): void {
    this.#last = this.#last.then(() => this.#components.records.clear())
  }

  /** Messages of one batch, in order; not to be modified. */
  add(messages: readonly Uint8Array[]): void {
    if (this.#run === undefined) return
    for (const message of messages) {
      const delta = decodeDelta(message)
      if (delta === undefined) throw new Error('this node made a delta it cannot read')
      const { firstSequence, lastSequence } = delta
      this.#queue.push({ message, firstSequence, lastSequence })
      this.#queueBytes += message.length
    }
    if (this.#queueBytes > limits.routeQueueBytesMax) this.#restartLog()
    this.#wake()
  }

  /** The bloom filter was built anew: others cannot follow the log any more. */
  renew(): void {
    this.#restartSnapshot()
    this.#wake()
  }

  /** The store is slower than the changes: their log is given up for a snapshot. */
  #restartLog(): void {
    this.#queue = []
    this.#queueBytes = 0
    this.#restartSnapshot()
  }

  #restartSnapshot(): void {
    this.#orphans = [...this.#orphans, ...(this.#snapshot?.names ?? [])]
    this.#snapshot = undefined
    this.#isSnapshotDue = true
  }

  /** Nothing is there. */
  #forget(): void {
    this.#log = []
    this.#logBytes = 0
    this.#written = NOTHING
    this.#orphans = []
    this.#snapshot = undefined
    this.#isSnapshotDue = true
  }

  /** Never rejects, except for a broken invariant. */
  async #work(run: object): Promise<void> {
    const { records, clock } = this.#components
    if (this.#run !== run || !(await records.clear())) return
    let nextLogMs = 0
    let nextProbeMs = 0
    while (this.#run === run) {
      const isLogDue = this.#queue.length > 0 && clock.now() >= nextLogMs
      if (!isLogDue) this.#plan()
      const snapshot = this.#snapshot
      if (isLogDue) {
        nextLogMs = clock.now() + WRITE_INTERVAL_MS
        await this.#writeLog(run)
      } else if (snapshot !== undefined) {
        await this.#writeSnapshot(run, snapshot)
      } else if (clock.now() >= nextProbeMs && this.#queue.length === 0) {
        await this.#write(run, [])
      } else {
        await this.#pause((this.#queue.length > 0 ? nextLogMs : nextProbeMs) - clock.now())
        continue
      }
      nextProbeMs = clock.now() + PROBE_INTERVAL_MS
    }
  }

  async #writeLog(run: object): Promise<void> {
    const first = this.#queue[0] as Queued
    let bytes = 0
    let count = 0
    // One message may be larger than what is gathered otherwise.
    while (count < this.#queue.length && (count === 0 || bytes < LOG_VALUE_BYTES)) {
      bytes += (this.#queue[count++] as Queued).message.length
    }
    const taken = this.#queue.splice(0, count)
    this.#queueBytes -= bytes
    const lastSequence = (taken[count - 1] as Queued).lastSequence
    const changes = splitValue(logName(first.firstSequence), encodeLog(taken.map(({ message }) => message)))
    if (!(await this.#write(run, changes))) return
    this.#log.push({ names: changes.map(({ name }) => name), lastSequence, bytes })
    this.#logBytes += bytes
  }

  async #writeSnapshot(run: object, snapshot: Snapshot): Promise<void> {
    const changes = snapshot.writes[0] ?? []
    if (!(await this.#write(run, changes)) || this.#snapshot !== snapshot) return
    snapshot.writes.shift()
    if (snapshot.writes.length > 0) return
    this.#snapshot = undefined
    this.#orphans = []
    this.#written = snapshot.written
    this.#log = this.#log.filter(logged => !snapshot.superseded.has(logged))
    this.#logBytes = this.#log.reduce((sum, { bytes }) => sum + bytes, 0)
    if (this.#isWritten) return
    this.#isWritten = true
    this.#components.onChanged(undefined)
  }

  /** False when it was not carried out, and the writer has begun anew or was stopped. */
  async #write(run: object, changes: readonly InterestRecordChange[]): Promise<boolean> {
    const { records, onChanged } = this.#components
    const outcome = await records.write(changes)
    if (this.#run !== run) return false
    if (outcome === 'done') return true
    const wasWritten = this.#isWritten
    this.#isWritten = false
    this.#forget()
    if (outcome === 'full') {
      onChanged('full')
      await this.#pause(PROBE_INTERVAL_MS)
    } else if (wasWritten) {
      onChanged(undefined)
    }
    if (this.#run === run) await records.clear()
    return false
  }

  #plan(): void {
    if (this.#snapshot !== undefined) return
    const isLong = this.#logBytes > logBytesMax(this.#written) || this.#log.length > limits.routeLogValuesMax
    if (!this.#isSnapshotDue && !isLong) return
    this.#isSnapshotDue = false
    this.#snapshot = this.#makeSnapshot()
  }

  #makeSnapshot(): Snapshot {
    const { local } = this.#components
    const before = this.#written
    const repair = local.repairFor(before)
    const { summary } = repair
    const changed = segmentRecords(summary.generation, repair.segments)
    const segments = new Map(summary.generation === before.generation ? before.segments : [])
    for (const [index, record] of changed) segments.set(index, kept(record))
    const made = repair.patterns && patternRecords(++this.#patternSets, repair.patterns)
    const patterns = made === undefined ? before.patterns : { ...made, records: made.records.map(kept) }
    const puts = [...changed.values(), ...(made?.records ?? [])]
    const base = encodeBase({ summary, patternSet: patterns.set, patternValues: patterns.values })
    const current = new Set([...segments.values(), ...patterns.records].map(({ name }) => name))
    const stale = [...before.segments.values(), ...before.patterns.records].map(({ name }) => name)
    const superseded = this.#log.filter(({ lastSequence }) => lastSequence <= summary.sequence)
    const doomed = new Set(superseded.flatMap(({ names }) => names))
    for (const name of [...stale, ...this.#orphans]) if (!current.has(name)) doomed.add(name)
    const { generation, patternCount, patternChecksum } = summary
    const checksums = local.checksums.slice()
    return {
      // What is stale goes after what takes its place.
      writes: [
        ...inWrites(puts),
        splitValue(BASE_NAME, base),
        ...inWrites([...doomed].map(name => ({ name, value: undefined }))),
      ],
      written: { generation, patternCount, patternChecksum, checksums, segments, patterns },
      names: puts.map(({ name }) => name),
      superseded: new Set(superseded),
    }
  }

  /** Until `ms` have passed, or something changed. */
  #pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      // What rounding leaves over may be too little to move a clock at all.
      const timer = this.#components.clock.schedule(Math.max(1, ms), resolve)
      this.#wake = () => {
        timer.cancel()
        resolve()
      }
    })
  }
}

/**
 * About what a node of this size comes to have in the store, and to have rewritten before the store forgets it: a pattern takes
 * some 100 bytes, rarely 256; the log grows as large as the snapshot, and the snapshot is rewritten at least once.
 */
export function recordedBytes({ bloomBytes, patterns }: { bloomBytes: number; patterns: number }): number {
  return 3 * Math.max(LOG_BYTES_MIN, bloomBytes + patterns * PATTERN_BYTES)
}

/** A log as long as the snapshot costs as much to write as to write that anew. */
function logBytesMax({ segments, patterns }: Written): number {
  let bytes = 0
  for (const record of [...segments.values(), ...patterns.records]) bytes += record.bytes
  return Math.min(limits.routeLogBytesMax, Math.max(LOG_BYTES_MIN, bytes))
}

function segmentRecords(generation: number, segments: readonly Segment[]): Map<number, InterestRecord> {
  const records = new Map<number, InterestRecord>()
  for (const segment of segments) {
    const name = segmentName(generation, segment.index)
    const [record] = splitValue(name, encodeSegments([segment], 0).frame)
    if (record !== undefined) records.set(segment.index, record)
  }
  return records
}

function patternRecords(set: number, patterns: readonly Pattern[]): PatternRecords<InterestRecord> {
  const records: InterestRecord[] = []
  let values = 0
  for (let next = 0; next < patterns.length;) {
    const part = encodePatterns(patterns, next)
    next = part.next
    records.push(...splitValue(patternsName(set, values++), part.frame))
  }
  return { set, values, records }
}

function kept({ name, value }: InterestRecord): KeptRecord {
  return { name, bytes: value.length }
}

/** Changes by the writes that take them, in order. */
function inWrites(changes: readonly InterestRecordChange[]): (readonly InterestRecordChange[])[] {
  const writes: InterestRecordChange[][] = []
  let bytes = Infinity
  for (const change of changes) {
    const last = writes[writes.length - 1]
    const size = change.value?.length ?? 0
    bytes += size
    if (
      last === undefined ||
      bytes > limits.routeWriteBytesMax ||
      last.length >= limits.routeWriteChangesMax
    ) {
      writes.push([change])
      bytes = size
    } else last.push(change)
  }
  return writes
}
