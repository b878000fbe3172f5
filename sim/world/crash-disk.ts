/**
 * A disk that survives its process, and nothing more than it promised.
 *
 * What was appended is volatile until it is committed, some time later; a crash keeps everything committed and a random
 * prefix of the rest, batch by batch, since a torn batch fails its checksum and is dropped. It can be slow, and it can be
 * full, which fails the store for good, as a real one does. A bit of what was committed can flip.
 */
import { GrapevineError } from '../../src/core/errors.ts'
import type { Clock, Timer } from '../../src/core/ports/clock.ts'
import type { Random } from '../../src/core/ports/random.ts'
import type { Store, StoreOperation } from '../../src/core/ports/store.ts'
import { CommitProgress } from '../../src/storage/commit-progress.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'

export class CrashDisk {
  readonly entries = new Map<string, Uint8Array>()
  readonly #random: Random
  #store: CrashDiskStore | undefined
  /** Mean time of a write, ms. */
  writeMs = 1
  isFull = false

  constructor(random: Random) {
    this.#random = random
  }

  /** One process at a time. */
  open(clock: Clock): CrashDiskStore {
    this.#store = new CrashDiskStore(clock, this)
    return this.#store
  }

  nextWriteMs(): number {
    return this.writeMs * (0.25 - Math.log(1 - this.#random.fraction()))
  }

  apply(batch: readonly StoreOperation[]): void {
    for (const operation of batch) {
      this.#damaged.delete(operation.key)
      if (operation.type === 'put') this.entries.set(operation.key, operation.value)
      else this.entries.delete(operation.key)
    }
  }

  readonly #damaged = new Set<string>()

  /** Whether a record is not as it was written. */
  get isDamaged(): boolean {
    return this.#damaged.size > 0
  }

  /** Flips one bit of one committed record. Answers what mends it, unless it is written anew, which mends it as well. */
  flipBit(): () => void {
    const keys = [...this.entries.keys()].filter(key => (this.entries.get(key)?.length ?? 0) > 0).sort()
    const key = keys[this.#random.uint32() % Math.max(1, keys.length)]
    const before = key === undefined ? undefined : this.entries.get(key)
    if (key === undefined || before === undefined || this.#damaged.has(key)) return () => undefined
    const damaged = new Uint8Array(before)
    const bit = this.#random.uint32() % (8 * damaged.length)
    damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
    this.entries.set(key, damaged)
    this.#damaged.add(key)
    return () => {
      this.#damaged.delete(key)
      if (this.entries.get(key) === damaged) this.entries.set(key, before)
    }
  }

  /** The process is gone: of what was not committed, a prefix may have reached the disk. */
  crash(): void {
    const pending = this.#store?.takePending() ?? []
    this.#store = undefined
    const kept = Math.floor(this.#random.fraction() * (pending.length + 1))
    for (const batch of pending.slice(0, kept)) this.apply(batch)
  }
}

export class CrashDiskStore implements Store {
  readonly #clock: Clock
  readonly #disk: CrashDisk
  readonly #reader: MemoryStore
  readonly #progress = new CommitProgress()
  #pending: (readonly StoreOperation[])[] = []
  #writing: Timer | undefined

  constructor(clock: Clock, disk: CrashDisk) {
    this.#clock = clock
    this.#disk = disk
    this.#reader = new MemoryStore({ clock, entries: disk.entries })
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
    this.#pending.push([...batch])
    this.#write()
    return sequence
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    this.#progress.assertOpen()
    return this.#reader.get(key)
  }

  async *range(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]> {
    this.#progress.assertOpen()
    for await (const entry of this.#reader.range(prefix)) {
      this.#progress.assertOpen()
      yield entry
    }
  }

  flush(): Promise<void> {
    return this.#progress.flush()
  }

  close(): Promise<void> {
    this.#progress.close()
    return this.#progress.flush()
  }

  takePending(): readonly (readonly StoreOperation[])[] {
    return this.#pending.splice(0)
  }

  /** Group commit: what is appended while a write is under way goes with the next. */
  #write(): void {
    if (this.#writing !== undefined || this.#pending.length === 0 || this.#progress.hasFailed) return
    const count = this.#pending.length
    const upTo = this.#progress.appended
    this.#writing = this.#clock.schedule(this.#disk.nextWriteMs(), () => {
      this.#writing = undefined
      if (this.#disk.isFull) {
        this.#progress.fail(new GrapevineError('STORE_FAILED', 'no space left on the simulated disk'))
        return
      }
      for (const batch of this.#pending.splice(0, count)) this.#disk.apply(batch)
      this.#progress.commit(upTo)
      this.#write()
    })
  }
}
