import type { LogFields, Logger } from '../../../src/core/ports/logger.ts'
import type { ListenerComponents } from '../../../src/listeners/listener.ts'
import { SystemClock } from '../../../src/system/system-clock.ts'

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: LogFields
}

/** Keeps its lines. */
export class MemoryLogger implements Logger {
  readonly lines: LogLine[] = []

  debug(message: string, fields: LogFields | (() => LogFields) = {}): void {
    this.lines.push({ level: 'debug', message, fields: typeof fields === 'function' ? fields() : fields })
  }

  info(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'info', message, fields })
  }

  warn(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'warn', message, fields })
  }

  error(message: string, fields: LogFields = {}): void {
    this.lines.push({ level: 'error', message, fields })
  }

  child(): Logger {
    return this
  }
}

/** A system clock whose time can be shifted. */
export class ShiftedClock extends SystemClock {
  shiftMs = 0

  override now(): number {
    return super.now() + this.shiftMs
  }

  override wallNow(): number {
    return super.wallNow() + this.shiftMs
  }
}

export function testComponents(): ListenerComponents & { logger: MemoryLogger; clock: ShiftedClock } {
  return { clock: new ShiftedClock(), logger: new MemoryLogger() }
}
