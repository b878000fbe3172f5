import { errorMessage, systemErrorCode } from '../core/errors.ts'
import type { Logger } from '../core/ports/logger.ts'

const PEER_RESETS = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED'])
/** What libp2p throws, out of timers and event handlers of its own, about one connection that is going away. */
const CONNECTION_ERRORS = new Set([
  'StreamStateError',
  'StreamResetError',
  'StreamClosedError',
  'MuxerClosedError',
  'ConnectionClosedError',
])
const TIMER_MS_MAX = 2 ** 31 - 1

/** A signal this soon after the first is the same wish: a terminal and npm may both deliver one Ctrl-C. */
const SAME_WISH_MS = 1000

/** That the process shall stop, and why. */
export interface StopRequest {
  /** Undefined: it was asked to. */
  readonly fault: unknown
  /** Whether it may take its time: false after a fault, and when its parent is gone. */
  readonly isPatient: boolean
  /** Resolves when it was asked again, or has become urgent: it stops at once. */
  readonly insisted: Promise<void>
}

/**
 * The handlers of a process that runs nodes, called once by its command; they keep the process alive. Resolves when it
 * shall stop: SIGINT, SIGTERM, SIGHUP, the end of the channel to its parent, or an error nobody caught.
 */
export function untilStopped(logger: Logger): Promise<StopRequest> {
  const { promise: insisted, resolve: insist } = Promise.withResolvers<void>()
  return new Promise(resolve => {
    let askedAtMs: number | undefined
    const onSignal = (): void => {
      askedAtMs ??= performance.now()
      if (performance.now() - askedAtMs > SAME_WISH_MS) insist()
      resolve({ fault: undefined, isPatient: true, insisted })
    }
    const stopNow = (fault: unknown): void => {
      insist()
      resolve({ fault, isPatient: false, insisted })
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
    process.on('disconnect', () => stopNow(undefined))
    if (process.send !== undefined && !process.connected) stopNow(undefined)
    process.on('uncaughtException', error => {
      const code = systemErrorCode(error)
      // A peer that resets while it is dialled, or goes while it is written to, can surface here; its connection is gone and nothing else is wrong.
      if ((code !== undefined && PEER_RESETS.has(code)) || CONNECTION_ERRORS.has(error.name)) {
        logger.debug('a connection was reset', { error: errorMessage(error) })
        return
      }
      logger.error('unexpected error; the process stops', { error: errorMessage(error), stack: error.stack })
      stopNow(error)
    })
    setInterval(() => undefined, TIMER_MS_MAX)
  })
}
