import type { LogFields, Logger } from '../../../src/core/ports/logger.ts'

/** A logger that keeps its lines as `level message`, for tests to look at. */
export class RecordingLogger implements Logger {
  readonly lines: string[] = []

  debug(): void {
    // Not for operators.
  }

  info(message: string, fields?: LogFields): void {
    this.#add('info', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.#add('warn', message, fields)
  }

  error(message: string, fields?: LogFields): void {
    this.#add('error', message, fields)
  }

  child(): Logger {
    return this
  }

  #add(level: string, message: string, fields: LogFields | undefined): void {
    this.lines.push(`${level} ${message}${fields === undefined ? '' : ` ${JSON.stringify(fields)}`}`)
  }
}
