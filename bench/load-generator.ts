import type { ChildProcess } from 'node:child_process'
import type { LoadAnswer, LoadRequest, LoadResults } from './load/load-protocol.ts'
import { spawnPinned, stopChild } from './pinned-process.ts'
import { siblingScript } from './sibling-script.ts'

/** The broker did not do what the scenario needs; the run counts as failed, others go on. */
export class RunFailure extends Error {
  override readonly name = 'RunFailure'
}

/** The bench's side of one load process. */
export class LoadGenerator {
  readonly #child: ChildProcess

  /** `core` null leaves the process to the system; `signal`, aborted, ends it. */
  constructor(core: number | null, signal: AbortSignal) {
    this.#child = spawnPinned({
      command: process.execPath,
      args: [siblingScript(import.meta.url, './load/load-process')],
      core,
      signal,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    // Without a listener an aborted process would be an uncaught error; requests listen for themselves.
    this.#child.on('error', () => {})
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** One request at a time. Throws `RunFailure`. */
  async request<K extends LoadRequest['kind']>(request: LoadRequest & { kind: K }): Promise<LoadResults[K]> {
    const answer = await new Promise<LoadAnswer>((resolve, reject) => {
      const onExit = () => {
        reject(new Error('the load process ended before it answered'))
      }
      this.#child.once('exit', onExit)
      this.#child.once('error', reject)
      this.#child.once('message', message => {
        this.#child.off('exit', onExit)
        this.#child.off('error', reject)
        resolve(message as LoadAnswer)
      })
      this.#child.send(request)
    })
    if ('fault' in answer) throw new RunFailure(answer.fault)
    return answer.result as LoadResults[K]
  }

  async stop(): Promise<void> {
    await stopChild(this.#child)
  }
}
