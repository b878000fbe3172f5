import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { cleanEnvironment, grapevine } from './run-cli.ts'

export interface AnnouncedNode {
  readonly nodeId: string
  readonly mqttPort: number
  readonly adminUrl: string
  readonly pid: number
}

/** `grapevine dev` in a process of its own, watched by what it prints. */
export class DevProcess {
  stdout = ''
  stderr = ''
  readonly exited: Promise<number | NodeJS.Signals | null>
  readonly #child: ChildProcess
  readonly #watchers = new Set<() => void>()
  #isGone = false

  /** `before` is a command that runs the one given to it. */
  constructor(args: readonly string[], before: readonly string[] = []) {
    const [command, ...rest] = [...before, process.execPath]
    const child = spawn(command, [...rest, grapevine, 'dev', '--log.level', 'warn', ...args], {
      env: cleanEnvironment(),
    })
    this.#child = child
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.#changed()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    this.exited = new Promise(resolve => {
      child.once('close', (code, signal) => {
        this.#isGone = true
        resolve(code ?? signal)
        this.#changed()
      })
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Every node line so far; a restarted node is there more than once. */
  get announced(): readonly AnnouncedNode[] {
    const lines = this.stdout.matchAll(
      /^(\S+) {2}mqtt:\/\/127\.0\.0\.1:(\d+) {2}(http:\/\/127\.0\.0\.1:\d+) {2}pid (\d+)$/gm,
    )
    return Array.from(lines, ([, nodeId = '', mqtt, adminUrl = '', pid]) => ({
      nodeId,
      mqttPort: Number(mqtt),
      adminUrl,
      pid: Number(pid),
    }))
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#isGone) throw new Error(`dev ended early:\n${this.stdout}\n${this.stderr}`)
      await new Promise<void>(resolve => this.#watchers.add(resolve))
    }
  }

  async untilReady(): Promise<readonly AnnouncedNode[]> {
    await this.until(() => /^mesh ready$/m.test(this.stdout))
    return this.announced
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  #changed(): void {
    for (const watcher of this.#watchers) watcher()
    this.#watchers.clear()
  }
}

/** A process and all it started, directly or not. */
export function processTree(root: number): number[] {
  const parents = readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(name => ({ pid: Number(name), parent: Number(statOf(Number(name))?.[1]) }))
  const tree = [root]
  for (const pid of tree) tree.push(...parents.filter(({ parent }) => parent === pid).map(child => child.pid))
  return tree
}

/** Resolves when none of the processes runs any more; one that only waits to be reaped is gone. */
export async function untilGone(pids: readonly number[]): Promise<void> {
  const runs = (pid: number): boolean => {
    const stat = statOf(pid)
    return stat !== undefined && stat[0] !== 'Z'
  }
  while (pids.some(runs)) await delay(50)
}

/** State, parent … of a process; undefined when there is none. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

export function listens(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
