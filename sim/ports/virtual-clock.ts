import type { Clock, Timer } from '../../src/core/ports/clock.ts'

interface Task {
  readonly dueMs: number
  readonly order: number
  readonly intervalMs: number
  readonly run: () => void
  cancelled: boolean
}

/** Where virtual wall time begins, ms since the Unix epoch: 2026-01-01T00:00:00Z. */
const WALL_ORIGIN_MS = Date.UTC(2026, 0, 1)

/** More happened than may happen in a whole run: something goes round in circles. */
export class EventsExhausted extends Error {
  constructor(events: number, atMs: number) {
    super(`${events} events happened by ${(atMs / 1000).toFixed(3)} s, more than any run needs`)
  }
}

/**
 * A clock that moves only when told. `advance` runs due tasks one at a time in (due time, order of scheduling), letting
 * promises settle after each, so that code which awaits runs as it would between two real timers.
 */
export class VirtualClock implements Clock {
  #nowMs = 0
  #order = 0
  #wallOffsetMs = WALL_ORIGIN_MS
  readonly #tasks: Task[] = [] // binary heap
  readonly #settle: () => Promise<void>
  readonly #eventsMax: number
  #events = 0

  /**
   * `settled`: resolves when every promise that can settle without time passing has done so. `eventsMax`: how many tasks it
   * runs in its life before `advance` throws EventsExhausted.
   */
  constructor(settled: () => Promise<void> = settle, eventsMax = Infinity) {
    this.#settle = settled
    this.#eventsMax = eventsMax
  }

  /** Tasks run so far. */
  get events(): number {
    return this.#events
  }

  now(): number {
    return this.#nowMs
  }

  wallNow(): number {
    return Math.floor(this.#nowMs) + this.#wallOffsetMs
  }

  /** Jumps the wall clock, as an operator or NTP would; monotonic time is not touched. */
  jumpWallClock(byMs: number): void {
    this.#wallOffsetMs += byMs
  }

  schedule(delayMs: number, task: () => void): Timer {
    return this.#add(delayMs, 0, task)
  }

  repeat(intervalMs: number, task: () => void): Timer {
    if (!(intervalMs > 0)) throw new Error(`interval must be > 0 ms, got ${intervalMs}`)
    return this.#add(intervalMs, intervalMs, task)
  }

  defer(task: () => void): void {
    this.#add(0, 0, task)
  }

  /** Runs everything due within the next `ms`, in order, and sets the time to its end. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await this.#settle()
    for (let task = this.#tasks[0]; task !== undefined && task.dueMs <= untilMs; task = this.#tasks[0]) {
      this.#pop()
      if (task.cancelled) continue
      this.#nowMs = Math.max(this.#nowMs, task.dueMs)
      if (++this.#events > this.#eventsMax) throw new EventsExhausted(this.#events, this.#nowMs)
      if (task.intervalMs > 0) this.#reschedule(task)
      task.run()
      await this.#settle()
    }
    this.#nowMs = untilMs
  }

  #add(delayMs: number, intervalMs: number, run: () => void): Timer {
    const first = {
      dueMs: this.#nowMs + Math.max(0, delayMs),
      order: this.#order++,
      intervalMs,
      run,
      cancelled: false,
    }
    this.#push(first)
    return {
      cancel: () => {
        first.cancelled = true
      },
    }
  }

  #reschedule(task: Task): void {
    // The same object goes back, so that the timer handed out still cancels it.
    Object.assign(task, { dueMs: task.dueMs + task.intervalMs, order: this.#order++ })
    this.#push(task)
  }

  #push(task: Task): void {
    const heap = this.#tasks
    heap.push(task)
    for (let child = heap.length - 1; child > 0;) {
      const parent = (child - 1) >> 1
      if (!this.#swapIfEarlier(child, parent)) break
      child = parent
    }
  }

  #pop(): void {
    const heap = this.#tasks
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    heap[0] = last
    for (let parent = 0; ;) {
      let earliest = parent * 2 + 1
      if (earliest >= heap.length) break
      if (earliest + 1 < heap.length && this.#isEarlier(earliest + 1, earliest)) earliest++
      if (!this.#swapIfEarlier(earliest, parent)) break
      parent = earliest
    }
  }

  #isEarlier(a: number, b: number): boolean {
    const left = this.#tasks[a] as Task
    const right = this.#tasks[b] as Task
    return left.dueMs < right.dueMs || (left.dueMs === right.dueMs && left.order < right.order)
  }

  #swapIfEarlier(child: number, parent: number): boolean {
    if (!this.#isEarlier(child, parent)) return false
    const held = this.#tasks[child] as Task
    this.#tasks[child] = this.#tasks[parent] as Task
    this.#tasks[parent] = held
    return true
  }
}

/** Lets every promise that can settle without time passing do so. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve()
}
