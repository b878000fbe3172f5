import type { Clock, Timer } from '../core/ports/clock.ts'

/** Longest delay `setTimeout` can be given; a longer one would fire at once. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1

/** The process's own clocks. Timers do not keep the process alive. */
export class SystemClock implements Clock {
  now(): number {
    return performance.now()
  }

  wallNow(): number {
    return Date.now()
  }

  schedule(delayMs: number, task: () => void): Timer {
    const dueMs = this.now() + delayMs
    let handle: NodeJS.Timeout
    const arm = (): void => {
      const stepMs = Math.min(Math.max(0, Math.ceil(dueMs - this.now())), TIMEOUT_MS_MAX)
      // Node's timers cut fractions off and may fire up to a millisecond early.
      handle = setTimeout(() => (this.now() < dueMs ? arm() : task()), stepMs)
      handle.unref()
    }
    arm()
    return { cancel: () => clearTimeout(handle) }
  }

  repeat(intervalMs: number, task: () => void): Timer {
    if (!(intervalMs > 0)) throw new Error(`interval must be > 0 ms, got ${intervalMs}`)
    const handle = setInterval(task, intervalMs)
    handle.unref()
    return { cancel: () => clearInterval(handle) }
  }

  defer(task: () => void): void {
    setImmediate(task)
  }
}
