import type { Publication } from '../publication.ts'

/**
 * Retained messages on disk: the last message of each topic (MQTT 5 section 3.3.1.3).
 *
 * Ordering, loss, failure: as `Store`; each call is atomic and, inside `SessionJournal.atomically` of the same store, part of
 * that batch. `load` is only called before the first change.
 */
export interface RetainedJournal {
  /** Keeps the message for its topic, replacing an earlier one; returns the sequence that must be committed. */
  put(publication: Publication): number
  /** Removes the topic's message; none is fine. */
  delete(topic: string): number
  /** Every stored message, in no particular order. Throws `GrapevineError` STORE_CORRUPT naming the key. */
  load(): AsyncIterable<Publication>
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
