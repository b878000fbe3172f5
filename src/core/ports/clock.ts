/** A scheduled task that has not run yet. Cancelling twice, or after it ran, does nothing. */
export interface Timer {
  cancel(): void
}

/**
 * Time, as far as any core may know it.
 *
 * Ordering: tasks run one at a time, never inside the call that scheduled them, in order of due time; tasks due at the
 * same time run in the order scheduled. Loss: none; a task may run late by any amount, never early.
 */
export interface Clock {
  /** Milliseconds, monotonic, fractional, from an arbitrary origin; stands still while nothing runs in a simulation. */
  now(): number
  /** Milliseconds since the Unix epoch. May jump either way. */
  wallNow(): number
  /** Runs `task` once, `delayMs` (≥ 0) from now. Real timers do not keep the process alive. */
  schedule(delayMs: number, task: () => void): Timer
  /** Runs `task` every `intervalMs` (> 0), first after one interval, until cancelled. */
  repeat(intervalMs: number, task: () => void): Timer
  /** Runs `task` after the I/O events at hand were handled; cheap, for flushing once per tick. Cannot be cancelled. */
  defer(task: () => void): void
}
