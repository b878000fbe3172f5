import type { Clock, Timer } from '../../../src/core/ports/clock.ts'

/** The clock of one process, which a test can stop as SIGSTOP does: time passes and no task runs. */
export class PausableClock implements Clock {
  readonly #clock: Clock
  /** Due while stopped; undefined while it runs. */
  #held: (() => void)[] | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): number {
    return this.#clock.now()
  }

  wallNow(): number {
    return this.#clock.wallNow()
  }

  schedule(delayMs: number, task: () => void): Timer {
    return this.#timer(run => this.#clock.schedule(delayMs, run), task)
  }

  repeat(intervalMs: number, task: () => void): Timer {
    return this.#timer(run => this.#clock.repeat(intervalMs, run), task)
  }

  defer(task: () => void): void {
    this.#clock.defer(() => this.run(task))
  }

  pause(): void {
    this.#held ??= []
  }

  /** What came due meanwhile is run from now on, in that order. */
  resume(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const task of held) this.#clock.defer(task)
  }

  /** Runs a task of the process, or does so once it goes on. */
  run(task: () => void): void {
    if (this.#held === undefined) task()
    else this.#held.push(task)
  }

  #timer(start: (run: () => void) => Timer, task: () => void): Timer {
    let isCancelled = false
    const run = (): void => {
      if (!isCancelled) task()
    }
    const timer = start(() => this.run(run))
    return {
      cancel: () => {
        isCancelled = true
        timer.cancel()
      },
    }
  }
}
