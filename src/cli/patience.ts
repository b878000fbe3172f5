import { errorMessage } from '../core/errors.ts'
import { say } from './faults.ts'

const SILENCE_MS = 2000
const REPEAT_MS = 10_000
const CHECK_INTERVAL_MS = 250
/** How long a clean stop may take before the process ends without it. */
const STOP_DEADLINE_MS = 20_000

/**
 * Awaits `work`; when it takes longer than two seconds, says on stderr what is being waited for, again when that
 * changes, and every ten seconds.
 */
export async function patiently<T>(what: () => string, work: Promise<T>): Promise<T> {
  const startedAtMs = performance.now()
  let said: string | undefined
  let saidAtMs = 0
  const timer = setInterval(() => {
    const nowMs = performance.now()
    if (nowMs - startedAtMs < SILENCE_MS) return
    const text = what()
    // What changes several times a second is said once in a while only.
    if (nowMs - saidAtMs < (text === said ? REPEAT_MS : SILENCE_MS)) return
    said = text
    saidAtMs = nowMs
    say(`waiting for ${text}`)
  }, CHECK_INTERVAL_MS)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}

/** Resolves true when `work` settled, false when it had not by the deadline. */
export async function settledWithin(deadlineMs: number, work: Promise<unknown>): Promise<boolean> {
  const { promise: deadline, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => {
    resolve(false)
  }, deadlineMs)
  const settled = work.then(
    () => true,
    () => true,
  )
  try {
    return await Promise.race([settled, deadline])
  } finally {
    clearTimeout(timer)
  }
}

/** Awaits a stop; says so when it takes long and gives up after a deadline. Answers the exit code. */
export async function stopInTime(what: string, stopping: Promise<void>): Promise<number> {
  let fault: unknown
  const settled = stopping.catch((error: unknown) => (fault = error))
  const inTime = await patiently(() => `${what} to stop`, settledWithin(STOP_DEADLINE_MS, settled))
  if (!inTime) say(`${what} did not stop within ${STOP_DEADLINE_MS / 1000} seconds; ending anyway`)
  if (fault !== undefined) say(`stopping ${what} failed: ${errorMessage(fault)}`)
  return inTime && fault === undefined ? 0 : 1
}
