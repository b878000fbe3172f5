/**
 * The retained messages, as far as this node knows them: kept in memory and in the journal, found by filter, bounded, expired,
 * and the same on every node in the end.
 *
 * Every change is stamped by the node that took it from its publisher; of two for one topic the later stamp wins wherever they
 * meet, deletions included, which is why these are kept for a time. Who subscribed gets messages through `RetainedDelivery`;
 * how changes reach other nodes is not its business. Invariant: memory and journal hold the same entries once the journal
 * has committed.
 */
import { HybridClock, wallMsOf } from '../core/hybrid-clock.ts'
import type { Incarnation } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import type {
  RetainedEntry,
  RetainedIndex,
  RetainedJournal,
  RetainedReplica,
} from '../core/ports/retained.ts'
import type { Publication, RetainedStamp } from '../core/publication.ts'
import type { MqttServices } from './mqtt-services.ts'
import { RETAINED_BUCKETS, RetainedTally } from './retained-tally.ts'

type RetainedServices = Pick<MqttServices, 'clock' | 'stats' | 'options'>

export class RetainedMessages implements RetainedReplica {
  readonly bucketCount = RETAINED_BUCKETS
  readonly #index: RetainedIndex
  readonly #journal: RetainedJournal
  readonly #services: RetainedServices
  readonly #hybridClock: HybridClock
  readonly #tally = new RetainedTally()
  /** Topics whose message was deleted, in the order in which that was learned. */
  readonly #deleted = new Map<string, RetainedEntry>()
  #incarnation: Incarnation = 1

  constructor(index: RetainedIndex, journal: RetainedJournal, services: RetainedServices) {
    this.#index = index
    this.#journal = journal
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
   * last change must be committed before the publisher is told.
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
    if (known !== undefined && compareStamps(stamp, known) <= 0) return false
    const nowMs = this.#services.clock.wallNow()
    if (expiresAtMs !== undefined && expiresAtMs <= nowMs) return false
    if (entry.payload.length === 0 && this.#isForgettable(stamp, nowMs)) return false
    if (!this.#hybridClock.observe(stamp.time)) {
      this.#services.stats.retainedFromFuture++
      return false
    }
    this.#keep(entryOf(entry, stamp))
    return true
  }

  /** A message of the broker itself, which is neither journaled nor told to other nodes. */
  announce(publication: Publication): void {
    this.#index.set(publication)
  }

  /** The messages a filter matches now, without those that have expired. */
  match(filter: string): Publication[] {
    const found: Publication[] = []
    const nowMs = this.#services.clock.wallNow()
    this.#index.match(filter, publication => {
      if (publication.expiresAtMs === undefined || publication.expiresAtMs > nowMs) found.push(publication)
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
    if (this.#deleted.size <= limits.retainedDeletionsMax) return
    const [oldest] = this.#deleted.keys()
    if (oldest !== undefined) this.#forget(oldest)
  }

  #set(entry: RetainedEntry): void {
    const { topic, stamp } = entry
    this.#tally.change(topic, this.#stampOf(topic), stamp)
    this.#deleted.delete(topic)
    if (entry.payload.length > 0) {
      this.#index.set(entry)
    } else {
      this.#index.delete(topic)
      this.#deleted.set(topic, entry)
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
  return {
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
