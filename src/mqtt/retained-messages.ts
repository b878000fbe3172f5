/**
 * The retained messages, as far as this node knows them: kept in memory and in the journal, found by filter, bounded, expired,
 * and the same on every node in the end.
 *
 * Every change is stamped by the node that took it from its publisher; of two for one topic the later stamp wins wherever they
 * meet, deletions included, which is why these are kept for a time. Who subscribed gets messages through `RetainedDelivery`;
 * how changes reach other nodes is not its business, nor which nodes keep the payloads of large messages. Invariant: memory and
 * journal hold the same entries once the journal has committed, payloads included.
 */
import { HybridClock, wallMsOf } from '../core/hybrid-clock.ts'
import type { Incarnation } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import type {
  RetainedEntry,
  RetainedIndex,
  RetainedJournal,
  RetainedPayloads,
  RetainedReplica,
} from '../core/ports/retained.ts'
import type { Publication, RetainedStamp } from '../core/publication.ts'
import { isAbsent, isDeletion, payloadBytesOf, withoutPayload, withPayload } from '../core/retained-entry.ts'
import type { MqttServices } from './mqtt-services.ts'
import { RETAINED_BUCKETS, RetainedTally } from './retained-tally.ts'

type RetainedServices = Pick<MqttServices, 'clock' | 'stats' | 'options'>

export class RetainedMessages implements RetainedReplica {
  readonly bucketCount = RETAINED_BUCKETS
  readonly #index: RetainedIndex
  readonly #journal: RetainedJournal
  readonly #payloads: RetainedPayloads
  readonly #services: RetainedServices
  readonly #hybridClock: HybridClock
  readonly #tally = new RetainedTally()
  /** Topics whose message was deleted, in the order in which that was learned. */
  readonly #deleted = new Map<string, RetainedEntry>()
  #incarnation: Incarnation = 1

  constructor(
    index: RetainedIndex,
    journal: RetainedJournal,
    payloads: RetainedPayloads,
    services: RetainedServices,
  ) {
    this.#index = index
    this.#journal = journal
    this.#payloads = payloads
    this.#services = services
    this.#hybridClock = new HybridClock(services.clock)
  }

  get count(): number {
    return this.#index.size
  }

  get byteCount(): number {
    return this.#index.byteCount
  }

  get entryCount(): number {
    return this.#tally.count
  }

  get checksum(): number {
    return this.#tally.checksum
  }

  /** The node has joined: changes are stamped with this incarnation from now on. */
  start(incarnation: Incarnation): void {
    this.#incarnation = incarnation
  }

  /** Puts an entry of the journal back. */
  restore(entry: RetainedEntry): void {
    this.#hybridClock.observe(entry.stamp.time)
    this.#set(entry)
  }

  /**
   * A PUBLISH with RETAIN: replaces the topic's message, or removes it when the payload is empty [MQTT-3.3.1-6], and stamps the
   * publication, so that other nodes do the same. False when a bound forbids to keep it: then the topic has none. The journal's
   * last change must be committed before the publisher is told. The payload is kept here until those who are to keep it have it.
   */
  publish(publication: Publication): boolean {
    const stamp = { time: this.#hybridClock.next(), incarnation: this.#incarnation }
    const isKept = publication.payload.length === 0 || this.#hasRoomFor(publication.topic)
    if (isKept) {
      stampWith(publication, stamp)
      this.#keep(entryOf(publication, stamp))
      return true
    }
    // A message that is out of date is worse than none; other nodes find that out by comparing.
    this.#services.stats.retainedRefused++
    if (this.#index.get(publication.topic) !== undefined) {
      this.#keep(entryOf({ ...publication, payload: new Uint8Array(0), properties: undefined }, stamp))
    }
    return false
  }

  apply(entry: RetainedEntry): boolean {
    const { topic, stamp, expiresAtMs } = entry
    const known = this.#stampOf(topic)
    const difference = known === undefined ? 1 : compareStamps(stamp, known)
    const isKeptHere = this.#payloads.keepsHere(topic, payloadBytesOf(entry))
    if (difference === 0 && isKeptHere && !isAbsent(entry)) return this.hold(topic, stamp, entry.payload)
    if (difference <= 0) return false
    const nowMs = this.#services.clock.wallNow()
    if (expiresAtMs !== undefined && expiresAtMs <= nowMs) return false
    if (isDeletion(entry) && this.#isForgettable(stamp, nowMs)) return false
    if (!this.#hybridClock.observe(stamp.time)) {
      this.#services.stats.retainedFromFuture++
      return false
    }
    const kept = entryOf(entry, stamp)
    if (isKeptHere || isAbsent(kept)) {
      this.#keep(kept)
    } else {
      this.#keep(withoutPayload(kept))
      this.#payloads.passing(kept)
    }
    return true
  }

  hold(topic: string, stamp: RetainedStamp, payload: Uint8Array): boolean {
    const entry = this.entryOf(topic)
    if (entry === undefined || !isAbsent(entry) || compareStamps(entry.stamp, stamp) !== 0) return false
    if (payload.length !== entry.absentBytes) return false
    this.#keep(withPayload(entry, Buffer.from(payload)))
    return true
  }

  release(topic: string, stamp: RetainedStamp): void {
    const entry = this.entryOf(topic)
    if (entry === undefined || isAbsent(entry) || isDeletion(entry)) return
    if (compareStamps(entry.stamp, stamp) === 0) this.#keep(withoutPayload(entry))
  }

  /**
   * Calls back, once, perhaps within this call, with the message the topic has by then, and its payload. Undefined: it has none any
   * more, or one whose payload is on no node that can be asked.
   */
  complete(topic: string, done: (whole: Publication | undefined) => void): void {
    const entry = this.entryOf(topic)
    const isGone = entry === undefined || isDeletion(entry) || this.#isExpired(entry)
    if (isGone || !isAbsent(entry)) {
      done(isGone ? undefined : entry)
      return
    }
    this.#payloads.fetch(entry, payload => {
      // Replaced, deleted or kept here meanwhile: what it was is not what the topic has.
      if (this.entryOf(topic) !== entry) this.complete(topic, done)
      else done(payload === undefined ? undefined : withPayload(entry, payload))
    })
  }

  /** A message of the broker itself, which is neither journaled nor told to other nodes. */
  announce(publication: Publication): void {
    this.#index.set(publication)
  }

  /** The messages a filter matches now, without those that have expired. Large ones may have no payload: see `complete`. */
  match(filter: string): Publication[] {
    const found: Publication[] = []
    this.#index.match(filter, publication => {
      if (!this.#isExpired(publication)) found.push(publication)
      return true
    })
    return found
  }

  checksumOf(bucket: number): number {
    return this.#tally.checksumOf(bucket)
  }

  bucketOf(topic: string): number {
    return this.#tally.bucketOf(topic)
  }

  topicsOf(bucket: number): Iterable<string> {
    return this.#tally.topicsOf(bucket)
  }

  entryOf(topic: string): RetainedEntry | undefined {
    const message = this.#index.get(topic)
    return message !== undefined && isEntry(message) ? message : this.#deleted.get(topic)
  }

  /** Forgets what has expired, and deletions that nobody can contradict any more. */
  sweep(): void {
    const nowMs = this.#services.clock.wallNow()
    const gone: string[] = []
    this.#index.match('#', ({ topic, expiresAtMs }) => {
      if (expiresAtMs !== undefined && expiresAtMs <= nowMs) gone.push(topic)
      return true
    })
    for (const [topic, { stamp }] of this.#deleted) {
      if (this.#isForgettable(stamp, nowMs)) gone.push(topic)
    }
    for (const topic of gone) this.#forget(topic)
  }

  /** Forgets everything: a copy too old to be compared with others'. */
  clear(): void {
    const topics: string[] = []
    for (let bucket = 0; bucket < RETAINED_BUCKETS; bucket++) topics.push(...this.#tally.topicsOf(bucket))
    for (const topic of topics) this.#forget(topic)
  }

  #hasRoomFor(topic: string): boolean {
    const { retainedMessagesMax, retainedBytesMax } = this.#services.options
    const isNew = this.#index.get(topic) === undefined
    return (!isNew || this.#index.size < retainedMessagesMax) && this.#index.byteCount < retainedBytesMax
  }

  #keep(entry: RetainedEntry): void {
    this.#set(entry)
    this.#journal.put(entry)
    if (!isDeletion(entry)) this.#payloads.changed(entry)
    if (this.#deleted.size <= limits.retainedDeletionsMax) return
    const [oldest] = this.#deleted.keys()
    if (oldest !== undefined) this.#forget(oldest)
  }

  #set(entry: RetainedEntry): void {
    const { topic, stamp } = entry
    this.#tally.change(topic, this.#stampOf(topic), stamp)
    this.#deleted.delete(topic)
    if (isDeletion(entry)) {
      this.#index.delete(topic)
      this.#deleted.set(topic, entry)
    } else {
      this.#index.set(entry)
    }
  }

  #forget(topic: string): void {
    this.#tally.change(topic, this.#stampOf(topic), undefined)
    this.#index.delete(topic)
    this.#deleted.delete(topic)
    this.#journal.delete(topic)
  }

  #stampOf(topic: string): RetainedStamp | undefined {
    return this.entryOf(topic)?.stamp
  }

  #isExpired({ expiresAtMs }: Publication): boolean {
    return expiresAtMs !== undefined && expiresAtMs <= this.#services.clock.wallNow()
  }

  #isForgettable({ time }: RetainedStamp, nowMs: number): boolean {
    return wallMsOf(time) + this.#services.options.retainedTombstoneTtlMs <= nowMs
  }
}

/** Positive when `a` wins over `b`. */
function compareStamps(a: RetainedStamp, b: RetainedStamp): number {
  return a.time - b.time || a.incarnation - b.incarnation
}

function isEntry(publication: Publication): publication is RetainedEntry {
  return publication.stamp !== undefined
}

/** Its own copy: what was published may be a view. */
function entryOf(publication: Publication, stamp: RetainedStamp): RetainedEntry {
  const { topic, payload, qos, properties, expiresAtMs } = publication
  const absence = isAbsent(publication) ? { absentBytes: publication.absentBytes } : undefined
  return {
    ...absence,
    topic,
    payload: Buffer.from(payload),
    qos,
    retain: true,
    properties: properties === undefined ? undefined : Buffer.from(properties),
    expiresAtMs,
    publisher: '',
    stamp,
  }
}

/** Nobody else has seen the publication yet, so this is its making, not a change. */
function stampWith(publication: { stamp?: RetainedStamp | undefined }, stamp: RetainedStamp): void {
  publication.stamp = stamp
}
