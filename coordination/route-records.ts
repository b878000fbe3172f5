/**
 * The interest of nodes as records under `routes/` in the coordination store, each life's on its own lease.
 *
 * Knows nothing of what the records say. Writes are fenced by a `head` key whose revision each of them compares and changes:
 * one of unknown outcome is repeated, and can never be carried out late over a newer one. Invariant: what a life has there is
 * the sum of its writes since `clear`, in order, or the head is gone and the next write says `lost`.
 */
import type { Incarnation, NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type {
  CoordinationCompare,
  CoordinationEntry,
  CoordinationOperation,
  CoordinationStore,
} from '../src/core/ports/coordination-store.ts'
import type {
  InterestRecord,
  InterestRecordChange,
  InterestRecords,
  InterestRecordWatcher,
} from '../src/core/ports/interest-records.ts'
import type { Random } from '../src/core/ports/random.ts'
import { Backoff } from './backoff.ts'
import type { CoordinationKeys } from './keys.ts'
import { isTransient } from './leader-term.ts'
import { isAbsent, isAtRevision, isPresent, newNonce } from './store-calls.ts'

interface RecordsContext {
  readonly store: CoordinationStore
  readonly clock: Clock
  readonly random: Random
  readonly keys: CoordinationKeys
  readonly nodeId: NodeId
  /** 0 before it is allocated. */
  readonly incarnation: () => Incarnation
  /** To write on; undefined while the node has none. */
  readonly leaseId: () => string | undefined
}

export interface RouteRecordStats {
  /** Transactions that wrote interest, and the bytes of keys and values they put. */
  writes: number
  bytesWritten: number
  /** Times the store had no room. */
  refused: number
}

/** Deletions in one transaction. */
const DELETIONS_MAX = 96
const HEAD = 'head'

export class RouteRecords implements InterestRecords {
  readonly stats: RouteRecordStats = { writes: 0, bytesWritten: 0, refused: 0 }
  readonly #context: RecordsContext
  readonly #backoff: Backoff
  /** Mod revision of the head as last written; 0 after `clear`. */
  #head = 0
  /** The lease of everything written since `clear`. */
  #leaseId: string | undefined
  #isClosed = false

  constructor(context: RecordsContext) {
    this.#context = context
    this.#backoff = new Backoff(context.clock, context.random, 100, 3000)
  }

  async clear(): Promise<boolean> {
    while (!this.#isClosed) {
      try {
        if (await this.#deleteSome()) {
          this.#head = 0
          this.#leaseId = undefined
          return true
        }
        continue
      } catch (error) {
        if (this.#isClosed) break
        if (!isTransient(error)) throw error
      }
      await this.#backoff.pause()
    }
    return false
  }

  async write(changes: readonly InterestRecordChange[]): Promise<'done' | 'lost' | 'full'> {
    const { clock } = this.#context
    const nonce = newNonce(this.#context.random)
    const head = { name: HEAD, value: new TextEncoder().encode(`${nonce} ${clock.wallNow()}`) }
    while (!this.#isClosed) {
      const answer = await this.#attempt([...changes, head], nonce)
      if (answer !== undefined) {
        this.#backoff.reset()
        return answer
      }
      await this.#backoff.pause()
    }
    return 'lost'
  }

  async read(
    nodeId: NodeId,
    incarnation: Incarnation,
    prefix: string,
  ): Promise<readonly InterestRecord[] | undefined> {
    const { store, keys } = this.#context
    const root = keys.routesOf(nodeId, incarnation)
    try {
      const { entries } = await store.range(root + prefix)
      return entries.map(entry => toRecord(root, entry))
    } catch (error) {
      if (this.#isClosed || isTransient(error)) return undefined
      throw error
    }
  }

  watch(
    nodeId: NodeId,
    incarnation: Incarnation,
    prefix: string,
    watcher: InterestRecordWatcher,
  ): { close(): void } {
    const { store, keys } = this.#context
    const root = keys.routesOf(nodeId, incarnation)
    return store.watch(root + prefix, {
      onReset: entries => watcher.onReset(entries.map(entry => toRecord(root, entry))),
      onEvents: events => {
        const put: InterestRecord[] = []
        for (const event of events) if (event.type === 'put') put.push(toRecord(root, event.entry))
        if (put.length > 0) watcher.onPut(put)
      },
    })
  }

  /** Ends what waits for the store. */
  close(): void {
    this.#isClosed = true
  }

  /** True when nothing is left. */
  async #deleteSome(): Promise<boolean> {
    const { store, keys, nodeId, incarnation } = this.#context
    const { entries } = await store.range(keys.routesOf(nodeId, incarnation()))
    if (entries.length === 0) return true
    // The head goes first, and for good: a late write of the life's own finds it gone.
    const head = entries.findIndex(({ key }) => key === this.#key(HEAD))
    const ordered =
      head === -1 ? entries : [entries[head] as CoordinationEntry, ...entries.toSpliced(head, 1)]
    const doomed = ordered.slice(0, DELETIONS_MAX)
    const success = doomed.map(({ key }) => ({ type: 'delete', key }) as const)
    const outcome = await store.transact({ compare: [], success, failure: [] })
    if (outcome.outcome !== 'done') await this.#backoff.pause()
    return false
  }

  /** Undefined: to be tried again. */
  async #attempt(
    changes: readonly InterestRecordChange[],
    nonce: string,
  ): Promise<'done' | 'lost' | 'full' | undefined> {
    const { store, keys, nodeId, incarnation, leaseId: lease } = this.#context
    const leaseId = lease()
    if (leaseId === undefined) return undefined
    this.#leaseId ??= leaseId
    // What hangs on the old lease vanishes with it, sooner or later.
    if (leaseId !== this.#leaseId) return 'lost'
    const headKey = this.#key(HEAD)
    const isFree: CoordinationCompare =
      this.#head === 0 ? isAbsent(headKey) : isAtRevision(headKey, this.#head)
    const outcome = await store.transact({
      compare: [isPresent(keys.member(nodeId, incarnation())), isFree],
      success: changes.map(({ name, value }): CoordinationOperation => {
        const key = this.#key(name)
        return value === undefined ? { type: 'delete', key } : { type: 'put', key, value, leaseId }
      }),
      failure: [{ type: 'get', key: headKey }],
    })
    if (outcome.outcome !== 'done') {
      // Perhaps it was carried out: the next attempt finds the head with this nonce then.
      if (outcome.isRefusal !== true || !isFull(outcome.reason)) return undefined
      this.stats.refused++
      return 'full'
    }
    const { result } = outcome
    if (result.succeeded) {
      this.#wrote(changes, result.revision)
      return 'done'
    }
    const [found] = result.results
    const entry = found?.type === 'get' ? found.entry : undefined
    if (entry !== undefined && new TextDecoder().decode(entry.value).startsWith(`${nonce} `)) {
      this.#wrote(changes, entry.modRevision)
      return 'done'
    }
    // Nothing was lost yet when there is nothing: the node is not registered now.
    return this.#head === 0 && entry === undefined ? undefined : 'lost'
  }

  #wrote(changes: readonly InterestRecordChange[], revision: number): void {
    this.#head = revision
    this.stats.writes++
    for (const { name, value } of changes) {
      if (value !== undefined) this.stats.bytesWritten += this.#key(name).length + value.length
    }
  }

  #key(name: string): string {
    const { keys, nodeId, incarnation } = this.#context
    return keys.routesOf(nodeId, incarnation()) + name
  }
}

function toRecord(root: string, { key, value }: CoordinationEntry): InterestRecord {
  return { name: key.slice(root.length), value }
}

/** etcd says "mvcc: database space exceeded". */
function isFull(reason: string): boolean {
  return reason.includes('space exceeded')
}
