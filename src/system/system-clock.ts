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
    let handle: NodeJS.Timeout
    const arm = (remainingMs: number): void => {
      const stepMs = Math.min(remainingMs, TIMEOUT_MS_MAX)
      handle = setTimeout(() => (remainingMs > stepMs ? arm(remainingMs - stepMs) : task()), stepMs)
      handle.unref()
    }
    arm(delayMs)
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
