import { Writable } from 'node:stream'
import {
  pino,
  destination as openDestination,
  stdTimeFunctions,
  type DestinationStream,
  type Logger as PinoLogger,
} from 'pino'
import { PinoPretty } from 'pino-pretty'
import type { LogFields, Logger } from '../core/ports/logger.ts'

export interface LoggerOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** `auto`: pretty when stderr is a terminal, JSON lines elsewhere. */
  readonly format: 'auto' | 'json' | 'pretty'
  /** Added to every line. */
  readonly fields?: LogFields
  /** Where lines go instead of stderr. */
  readonly destination?: { write(line: string): unknown }
}

/** A logger on stderr. Writing is synchronous: what was logged before a crash can be read after it. */
export function createLogger({ level, format, fields = {}, destination }: LoggerOptions): Logger {
  const pretty = format === 'pretty' || (format === 'auto' && process.stderr.isTTY)
  const sink: DestinationStream =
    destination === undefined
      ? openDestination({ dest: 2, sync: true })
      : { write: line => void destination.write(line) }
  const stream = pretty ? prettyStream(sink, destination === undefined && process.stderr.isTTY) : sink
  const options = {
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return new PinoAdapter(pino(options, stream).child(fields))
}

function prettyStream(sink: DestinationStream, colorize: boolean): DestinationStream {
  const output = new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      sink.write(line)
      done()
    },
  })
  return PinoPretty({
    destination: output,
    colorize,
    translateTime: 'SYS:HH:MM:ss.l',
    messageFormat: (log, key) =>
      typeof log['node'] === 'string' ? `${log['node']}  ${String(log[key])}` : String(log[key]),
    ignore: 'node',
    singleLine: true,
    sync: true,
  })
}

class PinoAdapter implements Logger {
  readonly #pino: PinoLogger

  constructor(pino: PinoLogger) {
    this.#pino = pino
  }

  debug(message: string, fields: LogFields | (() => LogFields) = {}): void {
    if (!this.#pino.isLevelEnabled('debug')) return
    this.#pino.debug(typeof fields === 'function' ? fields() : fields, message)
  }

  info(message: string, fields: LogFields = {}): void {
    this.#pino.info(fields, message)
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#pino.warn(fields, message)
  }

  error(message: string, fields: LogFields = {}): void {
    this.#pino.error(fields, message)
  }

  child(fields: LogFields): Logger {
    return new PinoAdapter(this.#pino.child(fields))
  }
}
