import type { Clock, Timer } from '../core/ports/clock.ts'

/** The process's own clocks. Timers do not keep the process alive. */
export class SystemClock implements Clock {
  now(): number {
    return performance.now()
  }

  wallNow(): number {
    return Date.now()
  }

  schedule(delayMs: number, task: () => void): Timer {
    const handle = setTimeout(task, delayMs)
    handle.unref()
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
