import type { MessageId } from '../publication.ts'

/**
 * Ids of publications at QoS 2 that came from other nodes and were delivered here, on disk: a node that restarts must know them,
 * since whoever sent them may not have heard that they arrived.
 *
 * Bounded: the last `limits.seenIdsKeptMax` are kept. Ordering, loss, failure: as `Store`; inside `SessionJournal.atomically` of
 * the same store part of that batch.
 */
export interface SeenJournal {
  /** Returns the sequence that must be committed. */
  remember(id: MessageId): number
  /** In the order in which they came. Only before the first change. Throws `GrapevineError` STORE_CORRUPT naming the key. */
  load(): Promise<readonly MessageId[]>
}
