import type { Publication, RetainedStamp } from '../publication.ts'

/**
 * A retained message as all nodes agree on it. Without payload it says that the topic's message was deleted: such an entry is
 * kept for a time, so that an older message that comes late is not taken for a newer one.
 */
export type RetainedEntry = Publication & {
  readonly stamp: RetainedStamp
  /** Of a large message whose payload other nodes keep: how many bytes that has. `payload` is empty then. */
  readonly absentBytes?: number
}

/**
 * Retained messages on disk: the last entry of each topic (MQTT 5 section 3.3.1.3).
 *
 * Ordering, loss, failure: as `Store`; each call is atomic and, inside `SessionJournal.atomically` of the same store, part of
 * that batch. `load` is only called before the first change.
 */
export interface RetainedJournal {
  /** Keeps the entry for its topic, replacing an earlier one; returns the sequence that must be committed. */
  put(entry: RetainedEntry): number
  /** Removes the topic's entry; none is fine. */
  delete(topic: string): number
  /** Every stored entry, in no particular order. Throws `GrapevineError` STORE_CORRUPT naming the key. */
  load(): AsyncIterable<RetainedEntry>
  /** Notes that the node runs, by its wall clock. */
  markAlive(wallMs: number): void
  /** When it was last marked alive; undefined: never. */
  lastAliveMs(): Promise<number | undefined>
}

/** Retained messages in memory, found by filter without looking at every topic. */
export interface RetainedIndex {
  /** Keeps the message for its topic, replacing an earlier one. */
  set(publication: Publication): void
  /** False when there was none. */
  delete(topic: string): boolean
  get(topic: string): Publication | undefined
  /** Calls `visit` for each message whose topic matches the filter, until it returns false. */
  match(filter: string, visit: (publication: Publication) => boolean): void
  readonly size: number
  /** Bytes of payloads, topics and properties. */
  readonly byteCount: number
}

/**
 * This node's copy of the cluster's retained messages, as anti-entropy compares it with others': entries in buckets by a hash of
 * the topic, each bucket with a checksum over topics and stamps. Equal checksums mean equal copies.
 */
export interface RetainedReplica {
  readonly bucketCount: number
  /** Entries, deletions included. */
  readonly entryCount: number
  /** Sum of all buckets' checksums, unsigned 32 bits. */
  readonly checksum: number
  checksumOf(bucket: number): number
  bucketOf(topic: string): number
  /** Topics with an entry in the bucket. The replica may change while this is read. */
  topicsOf(bucket: number): Iterable<string>
  entryOf(topic: string): RetainedEntry | undefined
  /**
   * Takes another node's entry if it is newer than what is here, or has the payload that is to be kept here and was not. False: it
   * is older, equal, expired or from the future.
   */
  apply(entry: RetainedEntry): boolean
  /** Keeps the payload of the topic's entry, which lacks it. False: its stamp or length is another by now, or it is here. */
  hold(topic: string, stamp: RetainedStamp, payload: Uint8Array): boolean
  /** Gives up the payload of the topic's entry if that has this stamp: others keep it. */
  release(topic: string, stamp: RetainedStamp): void
}

/** Where the payloads of large retained messages are: on two nodes each, which every node can tell from the topic. */
export interface RetainedPayloads {
  /** Whether payloads so large are kept here: all small ones, and the large ones this node is a holder of. */
  keepsHere(topic: string, payloadBytes: number): boolean
  /** An entry took its place here, with or without its payload. Not told of deletions. */
  changed(entry: RetainedEntry): void
  /** A whole message came by whose payload is not kept here. */
  passing(entry: RetainedEntry): void
  /** Calls back, once, perhaps within this call. Undefined: nobody who can be asked has the payload. */
  fetch(entry: RetainedEntry, done: (payload: Uint8Array | undefined) => void): void
}

/** Where routing puts a stamped message that came from another node, before it delivers it. */
export type RetainedSink = Pick<RetainedReplica, 'apply'>
