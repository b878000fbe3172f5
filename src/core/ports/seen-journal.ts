import type { Incarnation } from '../ids.ts'
import type { MessageId } from '../publication.ts'

/** What an earlier life of a node had delivered to the sessions that were there. */
export interface SeenEarlier {
  /** In the order in which they came. */
  readonly ids: readonly MessageId[]
  /** The last life: everything it published itself. Undefined when there was none. */
  readonly life: Incarnation | undefined
}

/**
 * Ids of publications at QoS 2 that came from other nodes and were delivered here, on disk: a node that restarts must know them,
 * since whoever sent them may not have heard that they arrived.
 *
 * Bounded: the last `limits.seenIdsKeptMax` are kept. Ordering, loss, failure: as `Store`; inside `SessionJournal.atomically` of
 * the same store part of that batch.
 */
export interface SeenJournal {
  /** The node lives under this incarnation from now on. */
  begin(incarnation: Incarnation): void
  /** Returns the sequence that must be committed. */
  remember(id: MessageId): number
  /** Only before the first change. Throws `GrapevineError` STORE_CORRUPT naming the key. */
  load(): Promise<SeenEarlier>
}
