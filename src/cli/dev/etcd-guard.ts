import { spawn } from 'node:child_process'
import { settledWithin } from '../patience.ts'
import { findOnPath } from './find-on-path.ts'

/** What the guard is to run, its first message. Any later one asks for the end. */
export interface ToEtcdGuard {
  readonly program: string
  readonly args: readonly string[]
}

/** Nodes whose parent was killed get this long to leave the cluster before etcd goes. */
const ORPHAN_GRACE_MS = 1500
const STOP_WITHIN_MS = 5000
const NOT_STARTED = 127

/**
 * Runs a program until the parent asks for its end or is gone, which ends the channel to it: so etcd, which knows
 * nothing of parents, does not outlive `dev` even when that is killed. Answers the program's exit code.
 */
export async function runEtcdGuard(): Promise<number> {
  // It ends with its program and not before.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
  const told = await nextMessage()
  if (told === undefined) return 0
  const { program, args } = told as ToEtcdGuard
  // Where Linux can do it, etcd goes even when this guard itself is killed.
  const setpriv = findOnPath('setpriv')
  const command = [...(setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'KILL', '--']), program, ...args]
  const child = spawn(command[0] ?? program, command.slice(1), { stdio: ['ignore', 'inherit', 'inherit'] })
  const exited = new Promise<number>(resolve => {
    child.once('error', () => {
      resolve(NOT_STARTED)
    })
    child.once('exit', code => {
      resolve(code ?? 1)
    })
  })

  const first = await Promise.race([exited, nextMessage()])
  if (typeof first === 'number') return first
  if (first === undefined) await settledWithin(ORPHAN_GRACE_MS, exited)
  child.kill('SIGTERM')
  if (!(await settledWithin(STOP_WITHIN_MS, exited))) child.kill('SIGKILL')
  return await exited
}

/** Undefined when the parent is gone. */
function nextMessage(): Promise<unknown> {
  return new Promise(resolve => {
    process.once('message', resolve)
    process.once('disconnect', () => {
      resolve(undefined)
    })
    if (!process.connected) resolve(undefined)
  })
}
