import type { Clock } from '../core/ports/clock.ts'
import type { Store, StoreOperation } from '../core/ports/store.ts'
import { CommitProgress } from './commit-progress.ts'

interface MemoryStoreOptions {
  /** Its `defer` decides when appended batches are committed. */
  readonly clock: Pick<Clock, 'defer'>
  /** The content, which outlives the store: what a disk is to `LevelStore`. Default: an empty one. */
  readonly entries?: Map<string, Uint8Array>
}

/**
 * A `Store` without a disk: batches appended in one turn are committed together on a later one. It survives nothing
 * but a `close` and never fails. Values that were read are not to be modified.
 */
export class MemoryStore implements Store {
  readonly #clock: Pick<Clock, 'defer'>
  readonly #entries: Map<string, Uint8Array>
  readonly #progress = new CommitProgress()
  #pending: StoreOperation[] = []
  #isCommitDue = false
  #closed: Promise<void> | undefined

  constructor({ clock, entries = new Map() }: MemoryStoreOptions) {
    this.#clock = clock
    this.#entries = entries
  }

  get appended(): number {
    return this.#progress.appended
  }

  get committed(): number {
    return this.#progress.committed
  }

  onCommitted(listener: (upTo: number) => void): void {
    this.#progress.onCommitted(listener)
  }

  onFailed(listener: (error: Error) => void): void {
    this.#progress.onFailed(listener)
  }

  append(batch: readonly StoreOperation[]): number {
    const sequence = this.#progress.append(batch.length)
    for (const operation of batch) this.#pending.push(operation)
    if (!this.#isCommitDue) {
      this.#isCommitDue = true
      this.#clock.defer(() => this.#commit())
    }
    return sequence
  }

  #commit(): void {
    this.#isCommitDue = false
    const operations = this.#pending
    this.#pending = []
    for (const operation of operations) {
      if (operation.type === 'put') this.#entries.set(operation.key, operation.value)
      else this.#entries.delete(operation.key)
    }
    this.#progress.commit(this.#progress.appended)
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    this.#progress.assertOpen()
    return this.#entries.get(key)
  }

  async *range(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]> {
    this.#progress.assertOpen()
    const found = [...this.#entries].filter(([key]) => key.startsWith(prefix))
    for (const entry of found.sort(([a], [b]) => compareUtf8(a, b))) {
      this.#progress.assertOpen()
      yield entry
    }
  }

  flush(): Promise<void> {
    return this.#progress.flush()
  }

  close(): Promise<void> {
    this.#progress.close()
    this.#closed ??= this.#progress.flush()
    return this.#closed
  }
}

/** Orders strings as their UTF-8 bytes are ordered, which differs from UTF-16 order above U+FFFF. */
function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i)
    const right = b.charCodeAt(i)
    if (left !== right) return rank(left) - rank(right)
  }
  return a.length - b.length
}

/** Moves surrogates, which stand for U+10000 and above, behind every other code unit. */
function rank(codeUnit: number): number {
  return codeUnit >= 0xd800 && codeUnit <= 0xdfff ? codeUnit + 0x10000 : codeUnit
}
