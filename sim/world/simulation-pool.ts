/**
 * Runs simulations in threads, as many at once as it has. A simulation takes time and chance away from its realm, and may
 * never end: in a thread of its own neither reaches whoever asked for it.
 *
 * Invariant: what a simulation answers depends on its argument alone, not on the number of threads or on what ran before.
 */
import { Worker } from 'node:worker_threads'
import type { ThreadAnswer } from './simulation-thread.ts'

interface Job<Argument, Result> {
  readonly argument: Argument
  resolve(result: Result): void
  reject(error: unknown): void
  onProgress(share: number): void
}

export class SimulationPool<Argument, Result> {
  readonly #script: URL
  readonly #threadsMax: number
  readonly #threads = new Set<Worker>()
  readonly #idle: Worker[] = []
  readonly #waiting: Job<Argument, Result>[] = []
  readonly #running = new Map<Worker, Job<Argument, Result>>()
  #ended: Error | undefined

  /** `script`: a module that calls `serveSimulations`. `signal`: ends all threads, and rejects what is under way. */
  constructor(script: URL, threads: number, signal?: AbortSignal) {
    this.#script = script
    this.#threadsMax = threads
    signal?.addEventListener('abort', () => void this.#end(new Error('the simulations were stopped')))
  }

  /**
   * Rejects with what the simulation threw, and when the pool is closed before it ended. `onProgress` hears how much of it is
   * done, from 0 to 1, if it says so.
   */
  run(argument: Argument, onProgress: (share: number) => void = () => undefined): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) {
        reject(this.#ended)
        return
      }
      this.#waiting.push({ argument, resolve, reject, onProgress })
      this.#startNext()
    })
  }

  /** Ends the threads, also in the middle of a simulation. */
  close(): Promise<void> {
    return this.#end(new Error('the simulation pool was closed'))
  }

  #startNext(): void {
    if (this.#waiting.length === 0) return
    const thread = this.#idle.pop() ?? this.#newThread()
    const job = thread === undefined ? undefined : this.#waiting.shift()
    if (thread === undefined || job === undefined) return
    this.#running.set(thread, job)
    thread.ref()
    thread.postMessage(job.argument)
  }

  #newThread(): Worker | undefined {
    if (this.#threads.size >= this.#threadsMax) return undefined
    const thread = new Worker(this.#script)
    this.#threads.add(thread)
    thread.on('message', (answer: ThreadAnswer<Result>) => {
      if ('share' in answer) {
        this.#running.get(thread)?.onProgress(answer.share)
        return
      }
      const job = this.#take(thread)
      // A thread without work keeps no process alive.
      thread.unref()
      this.#idle.push(thread)
      if ('result' in answer) job?.resolve(answer.result)
      else job?.reject(answer.error)
      this.#startNext()
    })
    thread.on('error', error => this.#lost(thread, error))
    thread.on('exit', code =>
      this.#lost(thread, new Error(`a simulation ended its thread with exit code ${code}`)),
    )
    return thread
  }

  #lost(thread: Worker, error: unknown): void {
    this.#threads.delete(thread)
    const index = this.#idle.indexOf(thread)
    if (index >= 0) this.#idle.splice(index, 1)
    this.#take(thread)?.reject(this.#ended ?? error)
    if (this.#ended === undefined) this.#startNext()
  }

  #take(thread: Worker): Job<Argument, Result> | undefined {
    const job = this.#running.get(thread)
    this.#running.delete(thread)
    return job
  }

  async #end(why: Error): Promise<void> {
    this.#ended ??= why
    for (const job of this.#waiting.splice(0)) job.reject(this.#ended)
    await Promise.all(Array.from(this.#threads, thread => thread.terminate()))
  }
}
