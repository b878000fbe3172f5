import type { Clock, Timer } from '../../src/core/ports/clock.ts'
import type { VirtualClock } from '../ports/virtual-clock.ts'

/**
 * Time as one simulated process knows it, and the door through which everything reaches it.
 *
 * While the process is stopped (SIGSTOP) nothing of it runs; what came due meanwhile runs in order when it goes on. Once it is
 * dead nothing runs any more. A suspension (of a virtual machine) also halts its monotonic clock, while wall time goes on.
 * Invariant: no code of a process runs but through its clock, so that a dead process does nothing.
 */
export class ProcessClock implements Clock {
  readonly #world: VirtualClock
  readonly #onThrown: (error: unknown) => void
  #state: 'running' | 'stopped' | 'dead' = 'running'
  #held: (() => void)[] = []
  #stoppedAtMs = 0
  #suspendedMs = 0
  #wallOffsetMs: number

  /** `onThrown`: an exception escaped from the process's code, which ends it. */
  constructor(world: VirtualClock, wallOffsetMs: number, onThrown: (error: unknown) => void) {
    this.#world = world
    this.#wallOffsetMs = wallOffsetMs
    this.#onThrown = onThrown
  }

  get isDead(): boolean {
    return this.#state === 'dead'
  }

  get isStopped(): boolean {
    return this.#state === 'stopped'
  }

  now(): number {
    return this.#world.now() - this.#suspendedMs
  }

  wallNow(): number {
    return this.#world.wallNow() + this.#wallOffsetMs
  }

  jumpWallClock(byMs: number): void {
    this.#wallOffsetMs += byMs
  }

  schedule(delayMs: number, task: () => void): Timer {
    const timer = new ProcessTimer()
    this.#arm(timer, this.now() + Math.max(0, delayMs), task)
    return timer
  }

  /** As real timers do: what was missed while the process was stopped is not made up for. */
  repeat(intervalMs: number, task: () => void): Timer {
    if (!(intervalMs > 0)) throw new Error(`interval must be > 0 ms, got ${intervalMs}`)
    const timer = new ProcessTimer()
    const again = (): void => {
      this.#arm(timer, this.now() + intervalMs, again)
      task()
    }
    this.#arm(timer, this.now() + intervalMs, again)
    return timer
  }

  defer(task: () => void): void {
    this.#world.defer(() => this.deliver(task))
  }

  /** Something from outside reaches the process now, or when it goes on. */
  deliver(task: () => void): void {
    if (this.#state === 'dead') return
    if (this.#state === 'stopped' || this.#held.length > 0) {
      this.#held.push(task)
      return
    }
    this.#run(task)
  }

  /** SIGSTOP. */
  stop(): void {
    if (this.#state !== 'running') return
    this.#state = 'stopped'
    this.#stoppedAtMs = this.#world.now()
  }

  /** SIGCONT; `isSuspension`: its machine was suspended. */
  continue(isSuspension = false): void {
    if (this.#state !== 'stopped') return
    this.#state = 'running'
    if (isSuspension) this.#suspendedMs += this.#world.now() - this.#stoppedAtMs
    this.#runHeld()
  }

  /** SIGKILL. */
  kill(): void {
    this.#state = 'dead'
    this.#held = []
  }

  #arm(timer: ProcessTimer, dueMs: number, task: () => void): void {
    this.#world.schedule(dueMs - this.now(), () => {
      if (timer.isCancelled) return
      this.deliver(() => {
        if (timer.isCancelled) return
        // A suspension ended before it was due by this clock.
        if (this.now() < dueMs - 1e-6) this.#arm(timer, dueMs, task)
        else task()
      })
    })
  }

  /** One per event of the world, so that promises settle in between. */
  #runHeld(): void {
    this.#world.defer(() => {
      if (this.#state !== 'running') return
      const task = this.#held.shift()
      if (task === undefined) return
      this.#run(task)
      if (this.#held.length > 0) this.#runHeld()
    })
  }

  #run(task: () => void): void {
    try {
      task()
    } catch (error) {
      this.#onThrown(error)
    }
  }
}

class ProcessTimer implements Timer {
  isCancelled = false

  cancel(): void {
    this.isCancelled = true
  }
}
