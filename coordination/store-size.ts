import { errorMessage } from '../src/core/errors.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { CoordinationStore, CoordinationStoreStatus } from '../src/core/ports/coordination-store.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { Random } from '../src/core/ports/random.ts'

const INTERVAL_MS = 30_000
/** Shares of the quota: of what is in use, and of the file, whose free pages are used again before it grows. */
export const IN_USE_MAX = 0.8
const FILE_MAX = 0.95

/**
 * Watches how full the coordination store is: asks for its status about every 30 s, at jittered times so that nodes do
 * not ask in step, and says when it is so full that nothing lasting should be added.
 *
 * Full means an alarm, 80 % of the quota in use, or a file of 95 % of it. It never frees space itself. While the store
 * does not answer, what was last known holds.
 */
export class StoreSize {
  readonly #store: Pick<CoordinationStore, 'status'>
  readonly #clock: Clock
  readonly #random: Random
  readonly #logger: Logger
  #status: CoordinationStoreStatus | undefined
  #fullness: string | undefined
  #timer: Timer | undefined
  #closed = false

  constructor(
    store: Pick<CoordinationStore, 'status'>,
    { clock, random, logger }: { clock: Clock; random: Random; logger: Logger },
  ) {
    this.#store = store
    this.#clock = clock
    this.#random = random
    this.#logger = logger
  }

  /** Asks for the first time, and from then on until `close`. */
  start(): void {
    void this.#look()
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  /** As last told; undefined before the first answer. */
  get status(): CoordinationStoreStatus | undefined {
    return this.#status
  }

  /** Whether new persistent sessions are to be refused. */
  isNearQuota(): boolean {
    return this.#fullness !== undefined
  }

  async #look(): Promise<void> {
    try {
      this.#learn(await this.#store.status())
    } catch (error) {
      this.#logger.debug('the coordination store did not tell its size', { reason: errorMessage(error) })
    }
    if (this.#closed) return
    const delayMs = INTERVAL_MS * (0.75 + this.#random.fraction() / 2)
    this.#timer = this.#clock.schedule(delayMs, () => void this.#look())
  }

  #learn(status: CoordinationStoreStatus): void {
    const before = this.#fullness
    this.#status = status
    this.#fullness = fullnessOf(status)
    if (before === undefined && this.#fullness !== undefined) {
      this.#logger.warn(
        'the coordination store is nearly full, new persistent sessions are refused; ' +
          'defragment it, or raise its quota (and coordination.etcd.quotaBytes), or let sessions expire sooner',
        {
          why: this.#fullness,
          sizeBytes: status.sizeBytes,
          inUseBytes: status.sizeInUseBytes,
          quotaBytes: status.quotaBytes ?? 0,
        },
      )
    } else if (before !== undefined && this.#fullness === undefined) {
      this.#logger.info('the coordination store has room again')
    }
  }
}

function fullnessOf({
  alarm,
  quotaBytes,
  sizeBytes,
  sizeInUseBytes,
}: CoordinationStoreStatus): string | undefined {
  if (alarm !== undefined) return `alarm ${alarm}`
  if (quotaBytes === undefined) return undefined
  if (sizeInUseBytes >= quotaBytes * IN_USE_MAX) return '80 % of the quota is in use'
  return sizeBytes >= quotaBytes * FILE_MAX ? 'its file has 95 % of the quota' : undefined
}
