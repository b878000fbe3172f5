import type { Argv } from 'yargs'
import { AdminClient } from './admin-client.ts'
import { UsageError } from './faults.ts'

/** What every command takes that asks a running node. */
export interface AdminArguments {
  readonly admin: string
  readonly token?: string | undefined
  readonly json: boolean
}

export function addAdminOptions<T>(yargs: Argv<T>): Argv<T & AdminArguments> {
  return yargs
    .option('admin', {
      type: 'string',
      requiresArg: true,
      default: 'http://127.0.0.1:8080',
      describe: 'admin URL of any node',
    })
    .option('token', {
      type: 'string',
      requiresArg: true,
      describe: 'admin token of that node; also GRAPEVINE_ADMIN__TOKEN',
    })
    .option('json', { type: 'boolean', default: false, describe: 'one JSON document on stdout' })
}

/** The node the command line names. Throws a UsageError when `--admin` is no URL. */
export function adminClient({ admin, token }: AdminArguments): AdminClient {
  if (!/^https?:\/\/[^/]/.test(admin) || !URL.canParse(admin)) {
    throw new UsageError(`--admin ${admin} is no URL; write it like http://127.0.0.1:8080`)
  }
  return new AdminClient(admin, token ?? process.env['GRAPEVINE_ADMIN__TOKEN'])
}

/** A whole number from `min` to `max`. Throws a UsageError that names the flag. */
export function wholeNumber(flag: string, text: string, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN
  if (value >= min && value <= max) return value
  throw new UsageError(`--${flag} must be a whole number from ${min} to ${max}, it is "${text}"`)
}
