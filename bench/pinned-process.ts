import { spawn, spawnSync, type ChildProcess, type StdioOptions } from 'node:child_process'
import { availableParallelism } from 'node:os'

/** A program to run on one core; `core` null leaves it to the system. */
export interface PinnedCommand {
  command: string
  args: readonly string[]
  core: number | null
  stdio?: StdioOptions
  /** Aborted, it ends the program. */
  signal: AbortSignal
}

/**
 * How bin/grapevine.js has V8 care for its heap with so many nodes in a process, on as many cores as one pinned to `core` has; every
 * broker on Node gets it, so that none is compared by V8's default.
 */
export function nodeHeapFlags(core: number | null, nodes = 1): string[] {
  const cores = core === null ? availableParallelism() : 1
  const helpers =
    cores > 1 ? [`--v8-pool-size=${Math.min(4, cores)}`] : ['--v8-pool-size=1', '--no-concurrent-marking']
  return [`--max-semi-space-size=${Math.min(32, 8 * Math.ceil(nodes / 5))}`, ...helpers]
}

/** Whether `taskset` is there and takes both cores that the bench wants: broker 0, load 1. */
export function canPin(): boolean {
  return (
    spawnSync('taskset', ['-c', '0,1', 'true']).status === 0 &&
    spawnSync('taskset', ['-c', '1', 'true']).status === 0
  )
}

/** taskset replaces itself by the program, so the child's pid is the program's. */
export function spawnPinned({ command, args, core, stdio, signal }: PinnedCommand): ChildProcess {
  const options = { signal, stdio: stdio ?? (['ignore', 'pipe', 'pipe'] as const) }
  return core === null
    ? spawn(command, args, options)
    : spawn('taskset', ['-c', String(core), command, ...args], options)
}

/** Ends a child with SIGTERM, after five seconds with SIGKILL, and waits until it is gone. */
export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  await new Promise<void>(resolve => {
    const forced = setTimeout(() => child.kill('SIGKILL'), 5000)
    child.once('exit', () => {
      clearTimeout(forced)
      resolve()
    })
    child.kill('SIGTERM')
  })
}
