import type { Clock } from '../../../src/core/ports/clock.ts'
import type { Store, StoreOperation } from '../../../src/core/ports/store.ts'

/** A `Store` in memory whose commits a test can hold back, and that a test can make fail. Commits once per tick. */
export class HeldStore implements Store {
  readonly content = new Map<string, Uint8Array>()
  held = false
  failed = false
  appended = 0
  committed = 0
  readonly #clock: Clock
  readonly #pending: (readonly StoreOperation[])[] = []
  readonly #committedListeners: ((upTo: number) => void)[] = []
  readonly #failedListeners: ((error: Error) => void)[] = []
  #scheduled = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  append(batch: readonly StoreOperation[]): number {
    if (this.failed) throw new Error('the disk is full')
    this.#pending.push(batch)
    this.appended++
    this.#schedule()
    return this.appended
  }

  release(): void {
    this.held = false
    this.#schedule()
  }

  fail(): void {
    this.failed = true
    for (const listener of this.#failedListeners) listener(new Error('the disk is full'))
  }

  onCommitted(listener: (upTo: number) => void): void {
    this.#committedListeners.push(listener)
  }

  onFailed(listener: (error: Error) => void): void {
    this.#failedListeners.push(listener)
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.content.get(key))
  }

  async *range(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]> {
    await Promise.resolve()
    for (const key of [...this.content.keys()].sort()) {
      if (key.startsWith(prefix)) yield [key, this.content.get(key) as Uint8Array]
    }
  }

  flush(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #schedule(): void {
    if (this.#scheduled || this.held) return
    this.#scheduled = true
    this.#clock.defer(() => this.#commit())
  }

  #commit(): void {
    this.#scheduled = false
    if (this.held || this.failed) return
    for (const batch of this.#pending.splice(0)) {
      for (const operation of batch) {
        if (operation.type === 'put') this.content.set(operation.key, operation.value)
        else this.content.delete(operation.key)
      }
      this.committed++
    }
    for (const listener of this.#committedListeners) listener(this.committed)
  }
}
