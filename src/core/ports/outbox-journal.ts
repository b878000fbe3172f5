import type { ClientId, NodeId } from '../ids.ts'

/** What waits on disk for a peer that has not accepted it. */
export interface OutboxRecord {
  /** Rises by one per record of a peer. */
  readonly position: number
  /** Wall clock ms, after which it need not be sent; undefined = never expires. */
  readonly expiresAtMs: number | undefined
  /** Client that published it; empty when that does not matter. */
  readonly publisher: ClientId
  /** As handed to `put`; not to be modified. */
  readonly frame: Uint8Array
}

/**
 * Publications kept for other nodes (DESIGN section 4.2), in order per node.
 *
 * Ordering, loss, failure: as `Store`; each call is atomic and, inside `SessionJournal.atomically` of the same store, part of
 * that batch. The sequences are those of that journal.
 */
export interface OutboxJournal {
  /** Keeps a copy of the record's frame; returns the sequence that must be committed. */
  put(nodeId: NodeId, record: OutboxRecord): number
  /** Removes one; none is fine. */
  delete(nodeId: NodeId, position: number): number
  /** Committed records from `position` on, in order, up to the first gap of a thousand positions. */
  read(nodeId: NodeId, position: number): AsyncIterable<OutboxRecord>
  /** Every committed record, in order per node. Throws `GrapevineError` STORE_CORRUPT naming the key. */
  load(): AsyncIterable<{ readonly nodeId: NodeId; readonly record: OutboxRecord }>
}
