import type { VirtualClock } from '../ports/virtual-clock.ts'
import { ProcessClock } from './process-clock.ts'

interface Job {
  readonly costMs: number
  /** Time passes, but nothing is worked at. */
  readonly isStall?: boolean
  readonly task: () => void
}

/**
 * A core that does one thing at a time, in the order asked: what a Node process's event loop is, or what several processes share
 * when there are more of them than cores.
 *
 * Invariant: virtual time passes for work exactly once, before the job for what it costs to begin it, after it for what it spent.
 */
export class CpuCore {
  readonly #clock: VirtualClock
  readonly #wakeMs: number
  readonly #jobs: Job[] = []
  #next = 0
  #isBusy = false
  #aheadMs = 0
  #busyMs = 0

  /** `wakeMs`: what it costs besides to begin when there was nothing to do. */
  constructor(clock: VirtualClock, wakeMs = 0) {
    this.#clock = clock
    this.#wakeMs = wakeMs
  }

  /** Time spent working since the beginning, ms. */
  get busyMs(): number {
    return this.#busyMs
  }

  /** How far the work of the job under way goes beyond the world's time, ms. */
  get aheadMs(): number {
    return this.#aheadMs
  }

  /** Calls the task when everything asked before is done and `costMs` of work has been put into it. */
  run(costMs: number, task: () => void): void {
    this.#add(this.#isBusy ? costMs : costMs + this.#wakeMs, task)
  }

  /** Calls the task in its turn, at no cost: to look at what the core has done by then. */
  look(task: () => void): void {
    this.#add(0, task)
  }

  /** More work that the job under way does: what it sends afterwards leaves the later, and later jobs wait. */
  spend(costMs: number): void {
    this.#aheadMs += costMs
  }

  /** Does nothing for so long, when it comes to it: a garbage collection, or another process in its place. */
  stall(ms: number): void {
    this.#add(ms, () => undefined, true)
  }

  #add(costMs: number, task: () => void, isStall = false): void {
    this.#jobs.push({ costMs, task, isStall })
    if (!this.#isBusy) this.#begin()
  }

  #begin(): void {
    this.#isBusy = true
    const { costMs, task, isStall } = this.#jobs[this.#next++] as Job
    if (this.#next > 1024 && this.#next * 2 > this.#jobs.length) {
      this.#jobs.splice(0, this.#next)
      this.#next = 0
    }
    this.#clock.schedule(costMs, () => {
      this.#aheadMs = 0
      task()
      const spentMs = this.#aheadMs
      this.#busyMs += (isStall === true ? 0 : costMs) + spentMs
      if (spentMs === 0) return this.#end()
      this.#clock.schedule(spentMs, () => this.#end())
      // Its effects were scheduled by now: from here the world's time says how far the core is.
      this.#aheadMs = 0
    })
  }

  #end(): void {
    if (this.#next < this.#jobs.length) this.#begin()
    else this.#isBusy = false
  }
}

/** Time as a process knows it whose code runs on a core that may have other work: whatever reaches it waits for its turn. */
export class CoreClock extends ProcessClock {
  readonly core: CpuCore

  constructor(world: VirtualClock, core: CpuCore, onThrown: (error: unknown) => void) {
    super(world, 0, onThrown)
    this.core = core
  }

  /** Passes while the process works. */
  override now(): number {
    return super.now() + this.core.aheadMs
  }

  override deliver(task: () => void): void {
    this.core.run(0, () => super.deliver(task))
  }
}
