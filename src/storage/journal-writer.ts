import type { Store, StoreOperation } from '../core/ports/store.ts'

/**
 * Where the journals of one store write, so that changes of several of them can be one batch.
 *
 * Invariant: a sequence it gave out is the one its change is appended under. Nobody else may append to the store within
 * `atomically`. Once the store has failed nothing is written any more, and sequences given out are never committed: whoever waits
 * for one waits until the node has stopped.
 */
export class JournalWriter {
  readonly #store: Store
  /** What `atomically` has gathered; undefined outside. */
  #gathering: StoreOperation[] | undefined
  #hasFailed = false

  constructor(store: Store) {
    this.#store = store
    store.onFailed(() => (this.#hasFailed = true))
  }

  /** Sequence of the last change, those that `atomically` has gathered so far included. */
  get appended(): number {
    const { appended } = this.#store
    return this.#gathering === undefined || this.#gathering.length === 0 ? appended : appended + 1
  }

  get committed(): number {
    return this.#store.committed
  }

  onCommitted(listener: (upTo: number) => void): void {
    this.#store.onCommitted(listener)
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#store.get(key)
  }

  range(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]> {
    return this.#store.range(prefix)
  }

  put(key: string, value: Uint8Array): number {
    return this.#append({ type: 'put', key, value })
  }

  /** As `put`, for a key that holds nothing and never did. */
  putNew(key: string, value: Uint8Array): number {
    return this.#append({ type: 'put', key, value, isNew: true })
  }

  delete(key: string): number {
    return this.#append({ type: 'del', key })
  }

  /** All of `operations`, of which there is at least one, in one batch. */
  write(operations: readonly StoreOperation[]): number {
    if (this.#gathering === undefined) return this.#take(operations)
    for (const operation of operations) this.#gathering.push(operation)
    return this.appended
  }

  /**
   * Everything that `change` writes becomes one batch. When `change` throws, which only a broken invariant may cause, nothing
   * of it is written and the journals must not be used any more.
   */
  atomically(change: () => void): void {
    if (this.#gathering !== undefined) throw new Error('atomically must not be nested')
    const operations: StoreOperation[] = []
    this.#gathering = operations
    try {
      change()
    } finally {
      this.#gathering = undefined
    }
    if (operations.length > 0) this.#take(operations)
  }

  #append(operation: StoreOperation): number {
    if (this.#gathering === undefined) return this.#take([operation])
    this.#gathering.push(operation)
    return this.#store.appended + 1
  }

  #take(operations: readonly StoreOperation[]): number {
    return this.#hasFailed ? this.#store.appended + 1 : this.#store.append(operations)
  }
}
