/** A key with its history, as etcd keeps it. Revisions are positive integers, rising with every transaction that writes. */
export interface CoordinationEntry {
  readonly key: string
  readonly value: Uint8Array
  readonly createRevision: number
  readonly modRevision: number
  /** 0 = bound to no lease. */
  readonly leaseId: string
}

/** Compares one key with a number. An absent key has createRevision and modRevision 0. */
export interface CoordinationCompare {
  readonly key: string
  readonly target: 'createRevision' | 'modRevision'
  readonly is: 'equal' | 'greater' | 'less' | 'notEqual'
  readonly revision: number
}

export type CoordinationOperation =
  | {
      readonly type: 'put'
      readonly key: string
      readonly value: Uint8Array
      readonly leaseId?: string
      /**
       * What the key tells of ends with the process that writes it. A store that lives in that very process need not keep the key
       * beyond it; to any other store this means nothing.
       */
      readonly isVolatile?: boolean
    }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'get'; readonly key: string }
  | { readonly type: 'transaction'; readonly transaction: CoordinationTransaction }

/**
 * All comparisons hold → `success` operations in order, else `failure` operations. Atomic. One key may be put or deleted
 * at most once over the operations that can run together; nested transactions are allowed one level deep; outer
 * operations + the longest inner list ≤ limits.coordinationTransactionOpsMax.
 */
export interface CoordinationTransaction {
  readonly compare: readonly CoordinationCompare[]
  readonly success: readonly CoordinationOperation[]
  readonly failure: readonly CoordinationOperation[]
}

export type CoordinationOperationResult =
  | { readonly type: 'put' }
  | { readonly type: 'delete'; readonly deleted: number }
  | { readonly type: 'get'; readonly entry: CoordinationEntry | undefined }
  | { readonly type: 'transaction'; readonly result: CoordinationTransactionResult }

export interface CoordinationTransactionResult {
  readonly succeeded: boolean
  /** Store revision after the transaction: that of every key it wrote. */
  readonly revision: number
  /** One per operation of the branch taken. */
  readonly results: readonly CoordinationOperationResult[]
}

/**
 * What a write came to. `unknown`: the request may or may not have been carried out, now or later (deadline passed,
 * connection lost): read back and compare a nonce. `unavailable`: it was certainly not carried out.
 */
export type CoordinationOutcome =
  | { readonly outcome: 'done'; readonly result: CoordinationTransactionResult }
  | {
      readonly outcome: 'unknown' | 'unavailable'
      readonly reason: string
      /** The store works and said no (no room, no such lease, too many operations), as opposed to not being reached. */
      readonly isRefusal?: boolean
      /** It is not about this request: whatever a node needs is refused until an operator mends it (no permission, no room). */
      readonly isStanding?: boolean
    }

export type CoordinationEvent =
  | { readonly type: 'put'; readonly entry: CoordinationEntry }
  | { readonly type: 'delete'; readonly key: string; readonly revision: number }

export interface CoordinationWatcher {
  /** Events in revision order, whole transactions at a time, each exactly once between two `onReset`s. */
  onEvents(events: readonly CoordinationEvent[], revision: number): void
  /**
   * The watch lost continuity (reconnect, compaction). Everything known under the prefix is replaced by `entries`,
   * read at `revision`; later events continue from there. Always called once first, with the state at the start.
   */
  onReset(entries: readonly CoordinationEntry[], revision: number): void
}

export interface CoordinationWatch {
  /** No callback runs after it returns. Idempotent. */
  close(): void
}

/** A granted lease. `ttlMs` is what the store granted, which may differ from what was asked. */
export interface CoordinationLease {
  readonly leaseId: string
  readonly ttlMs: number
}

export interface CoordinationStoreStatus {
  /** Bytes on disk, history included, and bytes of it in use; equal where the store cannot tell. */
  readonly sizeBytes: number
  readonly sizeInUseBytes: number
  /** Bytes at which the store refuses writes; undefined when it has no such bound. */
  readonly quotaBytes: number | undefined
  /** Why it takes no writes though it answers (etcd's NOSPACE or CORRUPT alarm); undefined when it takes them. */
  readonly alarm: string | undefined
  /** Version of the store's software, for status displays. */
  readonly version: string
}

/**
 * The etcd-shaped store all coordination is built on: etcd itself, the embedded store, the simulated one.
 *
 * Consistency: transactions and reads are linearizable. Revisions of one store only rise; a restored or emptied store
 * may start lower. Leases: keys bound to a lease vanish, in one revision, some time after `ttlMs` without a keepalive;
 * never before. Failure: every call settles within `timeoutMs` of the implementation; reads and lease calls reject with
 * `GrapevineError` COORDINATION_UNAVAILABLE; writes answer an outcome and do not reject. After `close`,
 * COORDINATION_CLOSED.
 */
export interface CoordinationStore {
  get(key: string): Promise<{ readonly entry: CoordinationEntry | undefined; readonly revision: number }>
  /** Every entry whose key starts with `prefix`, in key order, at one revision. */
  range(
    prefix: string,
  ): Promise<{ readonly entries: readonly CoordinationEntry[]; readonly revision: number }>
  transact(transaction: CoordinationTransaction): Promise<CoordinationOutcome>
  grantLease(ttlMs: number): Promise<CoordinationLease>
  /**
   * `alive`: extended by its TTL from some moment after the call began. `expired`: gone for good. Rejects when
   * that cannot be known.
   */
  keepAlive(leaseId: string): Promise<'alive' | 'expired'>
  /** Deletes the lease with its keys. An unknown lease is fine. */
  revokeLease(leaseId: string): Promise<void>
  watch(prefix: string, watcher: CoordinationWatcher): CoordinationWatch
  /** Forgets history before `revision`: watches that lag behind it are reset. Rejects when it could not be done. */
  compact(revision: number): Promise<void>
  /** Its size as it reports it, for accounting and quota. */
  status(): Promise<CoordinationStoreStatus>
  close(): Promise<void>
}
