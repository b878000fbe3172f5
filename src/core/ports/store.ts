/** One change of a store. Keys are compared by their UTF-8 bytes. */
export type StoreOperation =
  | {
      readonly type: 'put'
      readonly key: string
      /** Belongs to the store from `append` on: nobody changes it any more. */
      readonly value: Uint8Array
      /** The caller's word that the key holds nothing before this: if it is deleted soon, neither need be written. */
      readonly isNew?: boolean
    }
  | { readonly type: 'del'; readonly key: string }

/**
 * A local, ordered key-value store.
 *
 * Ordering: batches take effect in the order of their `append`, each wholly or not at all. Durability completes by
 * number: once `onCommitted(n)` was called, every batch with sequence ≤ n survives what the store's sync mode promises.
 * Loss: on a crash a suffix of the uncommitted batches may be missing, never a part of one and never a committed one.
 * Failure: the first failed write calls `onFailed` once; after it nothing is committed any more and `append` throws
 * `GrapevineError` STORE_FAILED. After `close`, `append` and reads throw.
 */
export interface Store {
  /** Queues a non-empty batch; returns its sequence: 1, 2, 3 … without gaps. Never blocks. */
  append(batch: readonly StoreOperation[]): number
  /** Sequence of the last batch appended, 0 before the first. */
  readonly appended: number
  /** Sequence up to which batches are committed, 0 before the first. */
  readonly committed: number
  /** Called after each commit with the new `committed`, strictly rising. Listeners run in the order added. */
  onCommitted(listener: (upTo: number) => void): void
  onFailed(listener: (error: Error) => void): void
  /** The committed value, or undefined. Uncommitted batches are not seen. */
  get(key: string): Promise<Uint8Array | undefined>
  /** Committed entries whose key starts with `prefix`, in key order, as of some moment after the call. */
  range(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]>
  /** Resolves when everything appended before the call is committed; rejects when the store failed. */
  flush(): Promise<void>
  /** Flushes, then releases files and locks. Idempotent. */
  close(): Promise<void>
}
