import type { Clock, Timer } from '../../core/ports/clock.ts'
import { RestartBackoff } from './restart-backoff.ts'

/** A process as its supervisor needs it; `node:child_process` behind it, or a test. */
export interface ProcessHandle {
  readonly pid: number | undefined
  /** Asks it to end by itself. */
  requestStop(): void
  /** Ends it at once. */
  kill(): void
  /** Called once, when it is gone; `how` completes "it …". */
  onExit(listener: (how: string) => void): void
}

export interface SupervisorEvents {
  /** It died without having been asked to. It is started again after `restartInMs`. */
  onDied(how: string, pid: number | undefined, restartInMs: number): void
}

/**
 * Keeps one process running: starts it again, with backoff, whenever it ends, until stopped. At most one runs at a time.
 */
export class SupervisedProcess {
  readonly #clock: Clock
  readonly #start: () => ProcessHandle
  readonly #events: SupervisorEvents
  readonly #backoff = new RestartBackoff()
  #current: ProcessHandle | undefined
  #restart: Timer | undefined
  #isStopping = false
  #onGone: () => void = () => {}

  constructor(clock: Clock, start: () => ProcessHandle, events: SupervisorEvents) {
    this.#clock = clock
    this.#start = start
    this.#events = events
  }

  /** The process that runs now. */
  get current(): ProcessHandle | undefined {
    return this.#current
  }

  run(): void {
    const startedAt = this.#clock.now()
    const handle = this.#start()
    this.#current = handle
    handle.onExit(how => {
      this.#current = undefined
      if (this.#isStopping) {
        this.#onGone()
        return
      }
      const delayMs = this.#backoff.next(this.#clock.now() - startedAt)
      this.#restart = this.#clock.schedule(delayMs, () => this.run())
      this.#events.onDied(how, handle.pid, delayMs)
    })
  }

  /** Resolves when it is gone: asked to end, and killed when it has not after `graceMs`. Not started again. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true
    this.#restart?.cancel()
    const handle = this.#current
    if (handle === undefined) return
    const gone = new Promise<void>(resolve => (this.#onGone = resolve))
    handle.requestStop()
    const timer = this.#clock.schedule(graceMs, () => handle.kill())
    await gone
    timer.cancel()
  }
}
