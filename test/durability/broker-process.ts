import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { collectingNodeArgs } from '../../bench/peers/launch.ts'

const command = fileURLToPath(new URL('../../bin/grapevine.js', import.meta.url))
const startDeadlineMs = 30_000
const pollMs = 20

/** Configuration sections besides those that `BrokerProcess` sets. */
export type ExtraConfig = Readonly<Record<string, object>>

/**
 * `grapevine start` in a process of its own, on free loopback ports, so that it can crash or be killed without the test. The
 * data directory is the caller's and outlives it.
 */
export class BrokerProcess {
  readonly port: number
  readonly #adminUrl: string
  readonly #child: ChildProcess
  readonly #output: string[]

  private constructor(child: ChildProcess, output: string[], joined: { port: number; adminUrl: string }) {
    this.#child = child
    this.#output = output
    this.port = joined.port
    this.#adminUrl = joined.adminUrl
  }

  /** Starts it and waits until it takes clients; rejects with its output when it does not. */
  static async start(directory: string, extra: ExtraConfig = {}): Promise<BrokerProcess> {
    const file = join(directory, 'grapevine.yaml')
    await writeFile(file, stringify(configuration(directory, extra)))
    const child = spawn(process.execPath, [...collectingNodeArgs(), command, 'start', '--config', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const output: string[] = []
    const joined = Promise.withResolvers<{ port: number; adminUrl: string }>()
    const keep = (line: string): void => {
      output.push(line)
      if (output.length > 200) output.shift()
      if (line.includes('"node joined"')) joined.resolve(addressesIn(line))
    }
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', keep)
    const fail = (what: string): void => joined.reject(new Error(`${what}:\n${output.join('\n')}`))
    child.once('close', () => fail('the broker ended before it was ready'))
    const timer = setTimeout(() => fail('the broker did not start in time'), startDeadlineMs)
    try {
      const broker = new BrokerProcess(child, output, await joined.promise)
      await broker.#ready()
      return broker
    } catch (error) {
      child.kill('SIGKILL')
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** The last lines it wrote. */
  get output(): string {
    return this.#output.join('\n')
  }

  /** One number of `/metrics`. */
  async metric(name: string): Promise<number> {
    const response = await fetch(`${this.#adminUrl}/metrics`)
    const text = await response.text()
    const line = text.split('\n').find(candidate => candidate.startsWith(`${name} `))
    if (line === undefined) throw new Error(`there is no metric ${name}`)
    return Number(line.slice(name.length + 1))
  }

  /** Lets it collect its garbage; happens soon after. */
  collectGarbage(): void {
    this.#child.kill('SIGUSR2')
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (!this.isRunning) return
    const ended = once(this.#child, 'exit')
    this.#child.kill(signal)
    await ended
  }

  async #ready(): Promise<void> {
    const deadline = performance.now() + startDeadlineMs
    while (performance.now() < deadline) {
      const response = await fetch(`${this.#adminUrl}/ready`)
      await response.arrayBuffer()
      if (response.ok) return
      await new Promise(resolve => setTimeout(resolve, pollMs))
    }
    throw new Error(`the broker is not ready:\n${this.output}`)
  }
}

function configuration(directory: string, extra: ExtraConfig): object {
  return {
    node: { id: 'under-test', cluster: 'under-test', dataDir: join(directory, 'data') },
    mqtt: { host: '127.0.0.1', port: 0 },
    mesh: { host: '127.0.0.1', port: 0 },
    admin: { host: '127.0.0.1', port: 0 },
    auth: { anonymous: true },
    log: { level: 'info', format: 'json' },
    ...extra,
  }
}

function addressesIn(line: string): { port: number; adminUrl: string } {
  const { listeners, admin } = JSON.parse(line) as { listeners: string[]; admin: string }
  return { port: Number(new URL(listeners[0] ?? '').port), adminUrl: admin }
}
