import type { GrapevineError } from '../core/errors.ts'

interface FlushWaiter {
  readonly sequence: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/**
 * The numbers side of a `Store`: which batches were appended, which are committed, and who waits for that.
 *
 * It never touches data. Invariant: `committed` ≤ `appended`, both only rise, and after a failure or `close` no batch is
 * taken; after a failure nothing is committed any more.
 */
export class CommitProgress {
  #appended = 0
  #committed = 0
  #failure: GrapevineError | undefined
  #isClosed = false
  readonly #commitListeners: ((upTo: number) => void)[] = []
  readonly #failureListeners: ((error: Error) => void)[] = []
  #waiters: FlushWaiter[] = []

  get appended(): number {
    return this.#appended
  }

  get committed(): number {
    return this.#committed
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  onCommitted(listener: (upTo: number) => void): void {
    this.#commitListeners.push(listener)
  }

  onFailed(listener: (error: Error) => void): void {
    this.#failureListeners.push(listener)
  }

  /** Numbers a batch of `length` operations. Throws STORE_FAILED after a failure, and when the store is closed. */
  append(length: number): number {
    this.assertOpen()
    if (this.#failure !== undefined) throw this.#failure
    if (length === 0) throw new Error('a batch must not be empty')
    return ++this.#appended
  }

  assertOpen(): void {
    if (this.#isClosed) throw new Error('the store is closed')
  }

  commit(upTo: number): void {
    if (upTo <= this.#committed || upTo > this.#appended || this.#failure !== undefined) {
      throw new Error(`cannot commit ${upTo}: ${this.#committed} of ${this.#appended} are committed`)
    }
    this.#committed = upTo
    for (const listener of this.#commitListeners) listener(upTo)
    const waiting = this.#waiters
    this.#waiters = waiting.filter(waiter => waiter.sequence > upTo)
    for (const waiter of waiting) if (waiter.sequence <= upTo) waiter.resolve()
  }

  /** The first call counts. */
  fail(error: GrapevineError): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    const waiting = this.#waiters
    this.#waiters = []
    for (const waiter of waiting) waiter.reject(error)
    for (const listener of this.#failureListeners) listener(error)
  }

  flush(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const sequence = this.#appended
    if (sequence === this.#committed) return Promise.resolve()
    return new Promise((resolve, reject) => this.#waiters.push({ sequence, resolve, reject }))
  }

  /** No batch is taken any more; what was appended may still be committed. */
  close(): void {
    this.#isClosed = true
  }
}
