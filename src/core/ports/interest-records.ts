import type { Incarnation, NodeId } from '../ids.ts'

/** Named bytes that belong to one life of a node. Names are paths of `[a-z0-9/]`. */
export interface InterestRecord {
  readonly name: string
  readonly value: Uint8Array
}

/** `value` undefined deletes. */
export interface InterestRecordChange {
  readonly name: string
  readonly value: Uint8Array | undefined
}

export interface InterestRecordWatcher {
  /** Continuity was lost, or this is the beginning: these are all there are, in the order of their names. */
  onReset(records: readonly InterestRecord[]): void
  /** Records were put, in order; those of one `write` together. */
  onPut(records: readonly InterestRecord[]): void
}

/**
 * Where lives of nodes keep their interest for others to read: under `routes/` in the coordination store. They vanish with
 * the life that wrote them.
 */
export interface InterestRecords {
  /**
   * Deletes whatever this life has there, so that `write` begins anew. True when that is done; it is tried for as long as it
   * takes, false only after `close`.
   */
  clear(): Promise<boolean>
  /**
   * Carries all changes out or none, after all earlier ones, at most limits.routeWriteChangesMax of them and
   * limits.routeWriteBytesMax in all; one call at a time. `done`; `lost`: what was written before is gone (the lease was
   * lost): `clear` and begin anew; `full`: the store refuses for want of room, nothing was written. As long as the store
   * does not answer it is tried; after `close` the answer is `lost`.
   */
  write(changes: readonly InterestRecordChange[]): Promise<'done' | 'lost' | 'full'>
  /** Records of a life whose names start with `prefix`, in the order of their names; undefined when the store does not answer. */
  read(
    nodeId: NodeId,
    incarnation: Incarnation,
    prefix: string,
  ): Promise<readonly InterestRecord[] | undefined>
  watch(
    nodeId: NodeId,
    incarnation: Incarnation,
    prefix: string,
    watcher: InterestRecordWatcher,
  ): { close(): void }
}
