/** Fields of a log line. Values are JSON; errors go in as their message. */
export type LogFields = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

/**
 * Where a core tells the operator something. One line per event an operator cares about: `info` for what changed,
 * `warn` for what needs an eye, `error` for what needs a hand; `debug` for developers. Never throws, never blocks.
 */
export interface Logger {
  /** `fields` that cost something to find out are given as a function, called only when the line is written. */
  debug(message: string, fields?: LogFields | (() => LogFields)): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger
}
