import type { Clock } from '../../src/core/ports/clock.ts'
import type {
  InterestRecord,
  InterestRecordChange,
  InterestRecords,
  InterestRecordWatcher,
} from '../../src/core/ports/interest-records.ts'

/** Records of one life in a Map; a write takes 1 ms, or fails as told. */
export class MemoryRecords implements InterestRecords {
  readonly #clock: Clock
  readonly #watchers = new Map<InterestRecordWatcher, string>()
  readonly values = new Map<string, Uint8Array>()
  /** Sizes of the writes carried out: changes, and bytes put. */
  readonly writes: { readonly changes: number; readonly bytes: number }[] = []
  clears = 0
  next: 'done' | 'lost' | 'full' = 'done'

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async clear(): Promise<boolean> {
    await this.#pause()
    this.clears++
    this.values.clear()
    return true
  }

  async write(changes: readonly InterestRecordChange[]): Promise<'done' | 'lost' | 'full'> {
    await this.#pause()
    const outcome = this.next
    this.next = 'done'
    if (outcome !== 'done') return outcome
    const put: InterestRecord[] = []
    for (const { name, value } of changes) {
      if (value === undefined) this.values.delete(name)
      else {
        this.values.set(name, value.slice())
        put.push({ name, value })
      }
    }
    this.writes.push({
      changes: changes.length,
      bytes: put.reduce((sum, { value }) => sum + value.length, 0),
    })
    for (const [watcher, prefix] of this.#watchers) {
      const some = put.filter(({ name }) => name.startsWith(prefix))
      if (some.length > 0) watcher.onPut(some)
    }
    return 'done'
  }

  async read(_nodeId: string, _incarnation: number, prefix: string): Promise<readonly InterestRecord[]> {
    await this.#pause()
    return this.all(prefix)
  }

  watch(_nodeId: string, _incarnation: number, prefix: string, watcher: InterestRecordWatcher) {
    this.#watchers.set(watcher, prefix)
    watcher.onReset(this.all(prefix))
    return { close: () => void this.#watchers.delete(watcher) }
  }

  /** In the order of their names. */
  all(prefix = ''): InterestRecord[] {
    const names = [...this.values.keys()].filter(name => name.startsWith(prefix)).sort()
    return names.map(name => ({ name, value: this.values.get(name) ?? new Uint8Array(0) }))
  }

  #pause(): Promise<void> {
    return new Promise(resolve => {
      this.#clock.schedule(1, resolve)
    })
  }
}
