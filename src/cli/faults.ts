import { errorMessage, GrapevineError, systemErrorCode, type ErrorCode } from '../core/errors.ts'

/** The command line itself is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** What was asked for can never be done. */
const USAGE: readonly ErrorCode[] = ['CONFIG_INVALID', 'CONFIG_FILE_UNREADABLE', 'TOPIC_INVALID']

/** Says on stderr what went wrong, in one line where it is one fault, without a stack; answers the exit code. */
export function reportFault(error: unknown): number {
  if (error instanceof UsageError) {
    say(`${error.message}  (grapevine --help)`)
    return 2
  }
  if (error instanceof GrapevineError) {
    say(`${error.code}: ${error.message}`)
    return USAGE.includes(error.code) ? 2 : 1
  }
  const code = systemErrorCode(error)
  say(`failed: ${errorMessage(error)}${code === undefined ? '' : ` (${code})`}`)
  return 1
}

/** A line for the person at the terminal; stdout stays for what a command answers. */
export function say(line: string): void {
  process.stderr.write(`grapevine: ${line}\n`)
}
