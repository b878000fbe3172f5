/**
 * Ownerships on their way out: records to be deleted unless somebody has taken them over.
 *
 * Lazy, batched, one batch at a time, repeated until the store has answered; every delete compares the record's revision,
 * so repeating and being late are harmless. A release that has not been sent can be called back.
 */
import { compareTokens, type ClientId, type FencingToken } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type {
  CoordinationOperation,
  CoordinationOperationResult,
  CoordinationStore,
} from '../src/core/ports/coordination-store.ts'
import type { Random } from '../src/core/ports/random.ts'
import { Backoff, pause } from './backoff.ts'
import type { CoordinationKeys } from './keys.ts'
import { decodeOwnership } from './session-record.ts'
import { isAtRevision } from './store-calls.ts'

export interface Release {
  readonly token: FencingToken
  /** Mod revision at which the record is deleted. */
  readonly modRevision: number
  /** Of a will that goes with the session; undefined when there is none. */
  readonly willKey: string | undefined
}

const BATCH_MAX = 100
/** Gives clients that reconnect at once the chance to save both writes. */
const DELAY_MS = 50
const CLOSE_MS = 2000

export class SessionReleases {
  readonly #store: CoordinationStore
  readonly #clock: Clock
  readonly #backoff: Backoff
  readonly #keys: CoordinationKeys
  readonly #waiting = new Map<ClientId, Release>()
  #underWay: ReadonlyMap<ClientId, Release> = new Map()
  #batchDone: Promise<void> = Promise.resolve()
  #isRunning = false
  #isClosed = false

  constructor(
    { store, clock, random }: { store: CoordinationStore; clock: Clock; random: Random },
    keys: CoordinationKeys,
  ) {
    this.#store = store
    this.#clock = clock
    this.#backoff = new Backoff(clock, random, 100, 5000)
    this.#keys = keys
  }

  /** False when too many wait: the record stays until somebody claims the session. */
  add(clientId: ClientId, release: Release): boolean {
    const waiting = this.#waiting.get(clientId)
    if (waiting !== undefined && compareTokens(waiting.token, release.token) >= 0) return true
    if (waiting === undefined && this.#waiting.size >= limits.releasesWaitingMax) return false
    this.#waiting.set(clientId, release)
    if (!this.#isRunning && !this.#isClosed) void this.#run()
    return true
  }

  /** Takes back a release that has not been sent; undefined when there is none. */
  callBack(clientId: ClientId): Release | undefined {
    const release = this.#waiting.get(clientId)
    this.#waiting.delete(clientId)
    return release
  }

  /** Whether a delete of this session is on its way; `settled` resolves when none is. */
  isUnderWay(clientId: ClientId): boolean {
    return this.#underWay.has(clientId)
  }

  async settled(clientId: ClientId): Promise<void> {
    while (this.#underWay.has(clientId)) await this.#batchDone
  }

  /** Sends what waits, for a bounded time and while the store answers, then stops. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#batchDone
    const endMs = this.#clock.now() + CLOSE_MS
    while (this.#waiting.size > 0 && this.#clock.now() < endMs) {
      if (!(await this.#sendBatch())) break
    }
    this.#waiting.clear()
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    this.#isRunning = true
    await pause(this.#clock, DELAY_MS)
    while (this.#waiting.size > 0 && !this.#isClosed) {
      const batch = this.#sendBatch()
      this.#batchDone = batch.then(() => {})
      if (await batch) this.#backoff.reset()
      else await this.#backoff.pause()
    }
    this.#isRunning = false
  }

  /** False when the store did not answer. */
  async #sendBatch(): Promise<boolean> {
    const batch = this.#take()
    this.#underWay = batch
    const success = Array.from(batch, ([clientId, release]) => this.#guardedDelete(clientId, release))
    const outcome = await this.#store.transact({ compare: [], success, failure: [] })
    this.#underWay = new Map()
    const entries = [...batch]
    if (outcome.outcome === 'done') {
      entries.forEach(([clientId, release], index) =>
        this.#onAnswer(clientId, release, outcome.result.results[index]),
      )
    } else {
      for (const [clientId, release] of entries) this.#addAgain(clientId, release)
    }
    return outcome.outcome === 'done'
  }

  #take(): ReadonlyMap<ClientId, Release> {
    const batch = new Map<ClientId, Release>()
    for (const [clientId, release] of this.#waiting) {
      if (batch.size === BATCH_MAX) break
      batch.set(clientId, release)
      this.#waiting.delete(clientId)
    }
    return batch
  }

  #guardedDelete(clientId: ClientId, { modRevision, willKey }: Release): CoordinationOperation {
    const key = this.#keys.session(clientId)
    // A will kept under this life is of no use to anybody, whoever has the session by now.
    const dropWill: CoordinationOperation[] = willKey === undefined ? [] : [{ type: 'delete', key: willKey }]
    return {
      type: 'transaction',
      transaction: {
        compare: [isAtRevision(key, modRevision)],
        success: [{ type: 'delete', key }, ...dropWill],
        failure: [{ type: 'get', key }, ...dropWill],
      },
    }
  }

  /** A record rewritten under the same token is deleted at its new revision; any other is somebody's. */
  #onAnswer(clientId: ClientId, release: Release, answer: CoordinationOperationResult | undefined): void {
    if (answer?.type !== 'transaction' || answer.result.succeeded) return
    const [found] = answer.result.results
    const record =
      found?.type === 'get' && found.entry !== undefined ? decodeOwnership(found.entry) : undefined
    if (record === undefined || compareTokens(record.token, release.token) !== 0) return
    this.#addAgain(clientId, { ...release, modRevision: record.modRevision })
  }

  #addAgain(clientId: ClientId, release: Release): void {
    if (!this.#waiting.has(clientId)) this.#waiting.set(clientId, release)
  }
}
