import type { ChildProcess } from 'node:child_process'
import { RunFailure } from './load-generator.ts'
import { nodeHeapFlags, spawnPinned, stopChild } from './pinned-process.ts'
import { siblingScript } from './sibling-script.ts'

export interface RequestWorkerOptions {
  /** `import.meta.url` of the caller, and the script relative to it, without extension. */
  importer: string
  script: string
  args: readonly string[]
  core: number | null
  /** How many of ours it runs; one if not given. */
  nodes?: number
  /** Aborted, it ends the process. */
  signal: AbortSignal
}

/** The bench's side of a process that answers requests over the IPC channel. It ends when this process does. */
export class RequestWorker<Request extends object, Answer> {
  readonly #child: ChildProcess
  readonly #script: string

  constructor({ importer, script, args, core, nodes, signal }: RequestWorkerOptions) {
    this.#script = script
    this.#child = spawnPinned({
      command: process.execPath,
      args: [...nodeHeapFlags(core, nodes), siblingScript(importer, script), ...args],
      core,
      signal,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#child.on('error', () => {})
  }

  /** One request at a time. Throws `RunFailure` when the process ends before it answers. */
  async request(request: Request): Promise<Answer> {
    return await new Promise<Answer>((resolve, reject) => {
      const onExit = (): void => reject(new RunFailure(`${this.#script} ended before it answered`))
      if (this.#child.exitCode !== null) return onExit()
      this.#child.once('exit', onExit)
      this.#child.once('message', message => {
        this.#child.off('exit', onExit)
        resolve(message as Answer)
      })
      this.#child.send(request)
    })
  }

  async stop(): Promise<void> {
    await stopChild(this.#child)
  }
}
