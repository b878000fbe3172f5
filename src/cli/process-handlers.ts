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

/** Why the process shall stop: because it was asked to (undefined), or because of a fault. */
export interface StopRequest {
  readonly fault: unknown
}

/**
 * The handlers of a process that runs nodes, called once by its command; they keep the process alive. Resolves when it
 * shall stop: SIGINT, SIGTERM, SIGHUP, the end of the channel to its parent, or an error nobody caught. Later signals
 * change nothing: a terminal and npm may both deliver the same Ctrl-C, and every stop is bounded in time.
 */
export function untilStopped(logger: Logger): Promise<StopRequest> {
  return new Promise(resolve => {
    const stop = (): void => {
      resolve({ fault: undefined })
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
    process.on('disconnect', stop)
    if (process.send !== undefined && !process.connected) stop()
    process.on('uncaughtException', error => {
      const code = systemErrorCode(error)
      // A peer that resets while it is dialled, or goes while it is written to, can surface here; its connection is gone and nothing else is wrong.
      if ((code !== undefined && PEER_RESETS.has(code)) || CONNECTION_ERRORS.has(error.name)) {
        logger.debug('a connection was reset', { error: errorMessage(error) })
        return
      }
      logger.error('unexpected error; the process stops', { error: errorMessage(error), stack: error.stack })
      resolve({ fault: error })
    })
    setInterval(() => undefined, TIMER_MS_MAX)
  })
}
