/**
 * One process's client of the simulated coordination service, with what a real one meets: requests that are held up and
 * carried out long after their caller gave up, answers that do not come back, refused connections, watches that break and
 * come back with a gap.
 *
 * It keeps the promises of `CoordinationStore`: what it calls `unavailable` was never carried out, and between two resets a
 * watch misses nothing.
 */
import { StoreRefusal } from '../../coordination/store-refusal.ts'
import { GrapevineError } from '../../src/core/errors.ts'
import type {
  CoordinationEntry,
  CoordinationLease,
  CoordinationOutcome,
  CoordinationStore,
  CoordinationStoreStatus,
  CoordinationTransaction,
  CoordinationWatch,
  CoordinationWatcher,
} from '../../src/core/ports/coordination-store.ts'
import type { Random } from '../../src/core/ports/random.ts'
import type { SimCoordinationService } from '../ports/sim-coordination-store.ts'
import type { VirtualClock } from '../ports/virtual-clock.ts'
import { type NetworkConditions, type Site, STORE } from './network-conditions.ts'
import { Pipe } from './pipe.ts'
import type { ProcessClock } from './process-clock.ts'
import type { Trace } from './trace.ts'

const TIMEOUT_MS = 3000
const RECONNECT_MS = 200
const REQUEST_BYTES = 200

/** The service as the fault plan sees it. */
export interface StoreAvailability {
  /** The process of the store is gone: connections are refused, and nothing is carried out. */
  isDown: boolean
  /** It has no leader: half of the requests come to nothing, half are carried out, and nobody is told which. */
  isElecting: boolean
}

export interface StoreClientContext {
  readonly service: SimCoordinationService
  readonly availability: StoreAvailability
  readonly clock: VirtualClock
  readonly conditions: NetworkConditions
  readonly random: Random
  readonly trace: Trace
  /** The lease of a site was granted or renewed. */
  onRenewed?(site: Site): void
}

interface Watched {
  readonly prefix: string
  readonly watcher: CoordinationWatcher
  /** Ends what the service still has to tell under the connection before. */
  detach: (() => void) | undefined
  isClosed: boolean
}

export class StoreClient implements CoordinationStore {
  readonly #context: StoreClientContext
  readonly #site: Site
  readonly #process: ProcessClock
  readonly #watched = new Set<Watched>()
  /** Ends the calls under way when the client closes. */
  readonly #underWay = new Set<() => void>()
  #requests: Pipe
  #answers: Pipe
  #connection = 0
  #isReconnecting = false
  #isWatching = true
  #isClosed = false

  constructor(context: StoreClientContext, site: Site, process: ProcessClock) {
    this.#context = context
    this.#site = site
    this.#process = process
    this.#requests = this.#openPipe(site, STORE)
    this.#answers = this.#openPipe(STORE, site)
  }

  get(key: string): Promise<{ entry: CoordinationEntry | undefined; revision: number }> {
    const { state } = this.#context.service
    return this.#ask(() => ({ entry: state.get(key), revision: state.revision }))
  }

  range(prefix: string): Promise<{ entries: readonly CoordinationEntry[]; revision: number }> {
    const { state } = this.#context.service
    return this.#ask(() => ({ entries: state.range(prefix), revision: state.revision }))
  }

  async transact(transaction: CoordinationTransaction): Promise<CoordinationOutcome> {
    if (this.#isClosed) return { outcome: 'unavailable', reason: 'the coordination store is closed' }
    let isSent = true
    try {
      return await this.#ask(
        (): CoordinationOutcome => {
          const result = this.#context.service.state.transact(transaction)
          return 'refused' in result
            ? { outcome: 'unavailable', reason: result.refused, isRefusal: true }
            : { outcome: 'done', result }
        },
        () => (isSent = false),
      )
    } catch (error) {
      return { outcome: isSent ? 'unknown' : 'unavailable', reason: String(error) }
    }
  }

  grantLease(ttlMs: number): Promise<CoordinationLease> {
    return this.#ask(() => {
      this.#context.onRenewed?.(this.#site)
      return this.#context.service.grantLease(ttlMs)
    })
  }

  keepAlive(leaseId: string): Promise<'alive' | 'expired'> {
    return this.#ask(() => {
      const state = this.#context.service.keepAlive(leaseId)
      if (state === 'alive') this.#context.onRenewed?.(this.#site)
      return state
    })
  }

  revokeLease(leaseId: string): Promise<void> {
    return this.#ask(() => this.#context.service.state.revokeLease(leaseId))
  }

  watch(prefix: string, watcher: CoordinationWatcher): CoordinationWatch {
    const watched: Watched = { prefix, watcher, detach: undefined, isClosed: this.#isClosed }
    this.#watched.add(watched)
    this.#attach(watched)
    return {
      close: () => {
        watched.isClosed = true
        watched.detach?.()
        this.#watched.delete(watched)
      },
    }
  }

  async compact(revision: number): Promise<void> {
    const refused = await this.#ask(() => this.#context.service.state.compact(revision))
    if (refused !== undefined) throw new StoreRefusal(refused.refused)
  }

  status(): Promise<CoordinationStoreStatus> {
    return this.#ask(() => {
      const { sizeBytes } = this.#context.service.state
      return {
        sizeBytes,
        sizeInUseBytes: sizeBytes,
        quotaBytes: undefined,
        alarm: undefined,
        version: 'simulated',
      }
    })
  }

  close(): Promise<void> {
    this.crash()
    for (const end of [...this.#underWay]) end()
    return Promise.resolve()
  }

  /** The process is gone: what it sent may still arrive, nothing comes back. */
  crash(): void {
    this.#isClosed = true
    for (const watched of this.#watched) watched.detach?.()
    this.#answers.close()
  }

  /** Watches break by themselves, and begin anew later: what happened meanwhile they see as a new beginning. */
  setWatching(isWatching: boolean): void {
    this.#isWatching = isWatching
    for (const watched of this.#watched) {
      watched.detach?.()
      if (isWatching && !this.#isReconnecting && !this.#isClosed) this.#attach(watched)
    }
  }

  /** The connection broke: answers under way are lost, watches begin anew. */
  reconnect(): void {
    if (this.#isClosed || this.#isReconnecting) return
    this.#isReconnecting = true
    this.#context.trace.detail(this.#site, 'connects to the store anew')
    this.#connection++
    for (const watched of this.#watched) watched.detach?.()
    this.#answers.close()
    this.#answers = this.#openPipe(STORE, this.#site)
    // What was sent on the old connection may still arrive there.
    this.#requests = this.#openPipe(this.#site, STORE)
    this.#process.schedule(RECONNECT_MS, () => {
      this.#isReconnecting = false
      for (const watched of this.#watched) this.#attach(watched)
    })
  }

  #attach(watched: Watched): void {
    if (!this.#isWatching) return
    const connection = this.#connection
    let isOver = false
    watched.detach = () => (isOver = true)
    const deliver = (call: () => void): void => {
      this.#answers.push(REQUEST_BYTES, () =>
        this.#process.deliver(() => {
          if (!isOver && !watched.isClosed) call()
        }),
      )
    }
    this.#requests.push(REQUEST_BYTES, () => {
      if (isOver || watched.isClosed || connection !== this.#connection) return
      if (this.#context.availability.isDown) {
        this.#process.schedule(RECONNECT_MS, () => this.reconnect())
        return
      }
      const { watcher } = watched
      const there = this.#context.service.watches.add(watched.prefix, {
        onEvents: (events, revision) => deliver(() => watcher.onEvents(events, revision)),
        onReset: (entries, revision) => deliver(() => watcher.onReset(entries, revision)),
      })
      watched.detach = () => {
        isOver = true
        there.close()
      }
      there.start()
    })
  }

  /** `onNotSent`: the connection was refused, so that nothing came of it. */
  #ask<T>(carryOut: () => T, onNotSent: () => void = () => undefined): Promise<T> {
    const { service, availability, random, trace } = this.#context
    return new Promise((resolve, reject) => {
      if (this.#isClosed) {
        reject(closedError())
        return
      }
      let isGivenUp = false
      let isDropped = false
      const giveUp = (error: Error): void => {
        isGivenUp = true
        this.#underWay.delete(end)
        timer.cancel()
        reject(error)
      }
      const end = (): void => giveUp(closedError())
      const timer = this.#process.schedule(TIMEOUT_MS, () => {
        isDropped = random.fraction() < 0.5
        trace.detail(this.#site, 'got no answer of the store in time')
        giveUp(unavailable('no answer in time'))
      })
      this.#underWay.add(end)
      const answers = this.#answers
      this.#requests.push(REQUEST_BYTES, () => {
        if (isDropped) return
        if (availability.isDown) {
          this.#process.deliver(() => {
            if (isGivenUp) return
            onNotSent()
            giveUp(unavailable('connection refused'))
          })
          return
        }
        if (availability.isElecting) {
          if (random.fraction() < 0.5) {
            carryOut()
            service.settle()
          }
          answers.push(REQUEST_BYTES, () =>
            this.#process.deliver(() => {
              if (!isGivenUp) giveUp(unavailable('leader changed'))
            }),
          )
          return
        }
        const answer = carryOut()
        service.settle()
        answers.push(REQUEST_BYTES, () =>
          this.#process.deliver(() => {
            if (isGivenUp) return
            timer.cancel()
            this.#underWay.delete(end)
            resolve(answer)
          }),
        )
      })
    })
  }

  #openPipe(from: Site, to: Site): Pipe {
    return new Pipe(this.#context.clock, this.#context.conditions, from, to)
  }
}

function closedError(): GrapevineError {
  return new GrapevineError('COORDINATION_CLOSED', 'the coordination store was closed')
}

function unavailable(why: string): GrapevineError {
  return new GrapevineError('COORDINATION_UNAVAILABLE', `the simulated store: ${why}`)
}
