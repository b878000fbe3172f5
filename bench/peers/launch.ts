import { connect } from 'node:net'
import { spawnPinned, stopChild } from '../pinned-process.ts'
import { siblingScript } from '../sibling-script.ts'
import { BrokerStartError, type RunningBroker } from './broker-peer.ts'

const startTimeoutMs = 20_000
const pollMs = 25

/** How much of a broker's output is kept to explain a failed start. */
const outputTailChars = 2000

export interface LaunchOptions {
  name: string
  command: string
  args: readonly string[]
  core: number | null
  port: number
  signal: AbortSignal
  /** Whether the broker takes clients now; by default, whether its port accepts connections. */
  isReady?: () => Promise<boolean>
  /** The process runs `collecting-process`. */
  collectsOnSignal?: boolean
}

/** Starts a broker process and waits until it is ready. Throws `BrokerStartError`, with the process gone. */
export async function launch(options: LaunchOptions): Promise<RunningBroker> {
  const { name, command, args, core, port, signal } = options
  const child = spawnPinned({ command, args, core, signal })
  let output = ''
  const keepTail = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-outputTailChars)
  }
  child.stdout?.on('data', keepTail)
  child.stderr?.on('data', keepTail)
  let ended: string | undefined
  child.on('error', error => {
    ended = error.message
  })
  child.once('exit', (code, signal) => {
    ended ??= `exited with ${String(code ?? signal)}`
  })

  const isReady = options.isReady ?? (async () => await accepts(port))
  const deadline = performance.now() + startTimeoutMs
  while (!(await isReady())) {
    if (ended === undefined && performance.now() < deadline) {
      await new Promise(resolve => setTimeout(resolve, pollMs))
      continue
    }
    if (ended === undefined) await stopChild(child)
    throw new BrokerStartError(`${name} did not start (${ended ?? 'not ready in time'}): ${output.trim()}`)
  }
  return {
    pid: child.pid ?? 0,
    port,
    collectGarbage: () => {
      if (options.collectsOnSignal === true) child.kill('SIGUSR2')
    },
    lastWords: () => [ended, output.trim()].filter(Boolean).join(': '),
    stop: async () => {
      await stopChild(child)
    },
  }
}

/** Arguments by which a Node broker collects its garbage when `collectGarbage` asks. */
export function collectingNodeArgs(): string[] {
  return ['--expose-gc', '--import', siblingScript(import.meta.url, './collecting-process')]
}

/** Whether something accepts connections on this port of 127.0.0.1. */
export async function accepts(port: number): Promise<boolean> {
  return await new Promise<boolean>(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => {
      resolve(false)
    })
  })
}
