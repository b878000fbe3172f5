import { errorMessage, GrapevineError } from '../../src/core/errors.ts'
import type { Clock } from '../../src/core/ports/clock.ts'
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
import type { Logger } from '../../src/core/ports/logger.ts'
import type { Random } from '../../src/core/ports/random.ts'
import { Backoff, pause } from '../backoff.ts'
import { StoreRefusal } from '../store-refusal.ts'
import { transactionFault } from '../transaction-rules.ts'
import type { EtcdAccess } from './etcd-access.ts'
import type { EtcdClient } from './etcd-client.ts'
import { EtcdEndpoints } from './etcd-endpoints.ts'
import { etcdFault, isSupportedVersion, type EtcdFault, type EtcdFaultName } from './etcd-faults.ts'
import { prefixRange, toEntry, toStatus } from './etcd-messages.ts'
import { EtcdWatch } from './etcd-watch.ts'
import { encodeTxnRequest } from './txn-request.ts'

const RETRY_PAUSE_FIRST_MS = 100
const RETRY_PAUSE_MAX_MS = 500
/** Faults an operator has to mend before the node can start, as opposed to an etcd that is not there. */
const REFUSALS_AT_START: ReadonlySet<EtcdFaultName> = new Set<EtcdFaultName>([
  'not-etcd',
  'not-trusted',
  'wrong-host-name',
  'certificate-outdated',
  'client-certificate',
  'no-tls',
  'wrong-password',
  'auth-disabled',
  'forbidden',
])
const ALREADY_COMPACTED = 'required revision has been compacted'

export interface EtcdCoordinationOptions {
  /** URLs of etcd's client listeners, e.g. `http://10.0.0.1:2379`. */
  readonly endpoints: readonly string[]
  /** Certificates and credentials. Default: none. */
  readonly access?: EtcdAccess
  /** Key read at the start, which the user must be allowed to read. Default `/grapevine/`. */
  readonly probeKey?: string
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Every call settles within it. Default 3000. */
  readonly timeoutMs?: number
  /** What etcd's `--quota-backend-bytes` is; etcd 3.4 and 3.5 do not tell. Default: etcd's own, 2 GiB. */
  readonly quotaBytes?: number
}

type Call<T> = (client: EtcdClient, options: { readonly deadline: number }) => Promise<T>
type Answer<T> = { readonly value: T } | { readonly fault: EtcdFault }

/**
 * The coordination store over etcd 3.4 or later, through etcd3's raw calls: its retries are off, its leases, watchers and
 * elections unused (DESIGN section 9).
 *
 * Invariant: a write is sent again only when it certainly never left; everything else is answered `unknown`. Reads and
 * lease calls are repeated, on the next endpoint, until the deadline.
 */
export class EtcdCoordinationStore implements CoordinationStore {
  readonly #options: EtcdCoordinationOptions
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #endpoints: EtcdEndpoints
  readonly #watches = new Set<EtcdWatch>()
  readonly #underWay = new Set<Promise<unknown>>()
  #onClosed: () => void = () => {}
  readonly #closing: Promise<'closed'>
  #closed: Promise<void> | undefined

  /**
   * Answers once an endpoint has served a linearizable read. Throws ETCD_UNREACHABLE when none does in time, ETCD_REFUSED
   * when one is there but lets nobody in or is not trusted, ETCD_UNSUPPORTED when it is older than 3.4.
   */
  static async connect(options: EtcdCoordinationOptions): Promise<EtcdCoordinationStore> {
    const store = new EtcdCoordinationStore(options)
    const refusal = await store.#refusalAtStart()
    if (refusal === undefined) return store
    await store.close()
    throw refusal
  }

  private constructor(options: EtcdCoordinationOptions) {
    this.#options = options
    this.#clock = options.clock
    this.#timeoutMs = options.timeoutMs ?? 3000
    this.#endpoints = new EtcdEndpoints(options.endpoints, options.access)
    this.#closing = new Promise(resolve => {
      this.#onClosed = () => resolve('closed')
    })
  }

  async get(key: string): Promise<{ entry: CoordinationEntry | undefined; revision: number }> {
    const request = { key: Buffer.from(key) }
    const response = await this.#repeat((client, options) => client.kv.range(request, options))
    return { entry: response.kvs.map(toEntry)[0], revision: Number(response.header.revision) }
  }

  async range(prefix: string): Promise<{ entries: readonly CoordinationEntry[]; revision: number }> {
    // Without an order asked for, etcd answers in that of the keys.
    const response = await this.#repeat((client, options) => client.kv.range(prefixRange(prefix), options))
    return { entries: response.kvs.map(toEntry), revision: Number(response.header.revision) }
  }

  async transact(transaction: CoordinationTransaction): Promise<CoordinationOutcome> {
    const refused =
      this.#closed === undefined ? transactionFault(transaction) : 'the coordination store is closed'
    if (refused !== undefined) return { outcome: 'unavailable', reason: refused, isRefusal: true }
    const request = encodeTxnRequest(transaction)
    const answer = await this.#unlessClosed(
      this.#attempt((client, options) => client.transact(request, options), 'notSent'),
    )
    if (answer === 'closed') return { outcome: 'unknown', reason: 'the coordination store was closed' }
    if ('value' in answer) return { outcome: 'done', result: answer.value }
    const { kind, reason, isStanding } = answer.fault
    if (kind === 'unknown') return { outcome: 'unknown', reason, isStanding }
    return { outcome: 'unavailable', reason, isRefusal: kind === 'refused', isStanding }
  }

  async grantLease(ttlMs: number): Promise<CoordinationLease> {
    const request = { TTL: Math.ceil(ttlMs / 1000) }
    const response = await this.#repeat((client, options) => client.leaseClient.leaseGrant(request, options))
    return { leaseId: response.ID, ttlMs: Number(response.TTL) * 1000 }
  }

  keepAlive(leaseId: string): Promise<'alive' | 'expired'> {
    return this.#repeat((client, options) => keepAliveOnce(client, leaseId, options))
  }

  async revokeLease(leaseId: string): Promise<void> {
    const answer = await this.#ask((client, options) =>
      client.leaseClient.leaseRevoke({ ID: leaseId }, options),
    )
    if ('fault' in answer && answer.fault.reason !== 'lease not found') throw unavailable(answer.fault)
  }

  watch(prefix: string, watcher: CoordinationWatcher): CoordinationWatch {
    if (this.#closed !== undefined) return { close: () => {} }
    const { random, logger } = this.#options
    const watch = new EtcdWatch(
      { endpoints: this.#endpoints, clock: this.#clock, random, logger, range: listed => this.range(listed) },
      prefix,
      watcher,
    )
    this.#watches.add(watch)
    return {
      close: () => {
        watch.close()
        this.#watches.delete(watch)
      },
    }
  }

  async compact(revision: number): Promise<void> {
    const answer = await this.#ask((client, options) =>
      client.kv.compact({ revision: String(revision) }, options),
    )
    if ('fault' in answer && !answer.fault.reason.includes(ALREADY_COMPACTED)) throw unavailable(answer.fault)
  }

  /** Of the member that is asked: members differ in size by what each has not defragmented. Alarms are the cluster's. */
  async status(): Promise<CoordinationStoreStatus> {
    const response = await this.#repeat((client, options) => client.maintenance.status(options))
    return toStatus(response, this.#options.quotaBytes)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  /** What keeps a node from starting with this etcd. */
  async #refusalAtStart(): Promise<GrapevineError | undefined> {
    const endpoints = this.#options.endpoints.join(', ')
    const key = Buffer.from(this.#options.probeKey ?? '/grapevine/')
    const answer = await this.#ask(async (client, options) => {
      await client.kv.range({ key }, options)
      return client.maintenance.status(options)
    })
    if ('value' in answer) {
      const { version } = answer.value
      if (isSupportedVersion(version)) return undefined
      return new GrapevineError(
        'ETCD_UNSUPPORTED',
        `etcd at ${endpoints} has version ${version}, which lacks what clusters rely on; use etcd 3.4 or later`,
      )
    }
    const { name, reason } = answer.fault
    if (REFUSALS_AT_START.has(name)) {
      return new GrapevineError(
        'ETCD_REFUSED',
        `etcd at ${endpoints} cannot be used, so this node cannot join its cluster: ${reason}`,
      )
    }
    return new GrapevineError(
      'ETCD_UNREACHABLE',
      `no etcd endpoint answered within ${this.#timeoutMs} ms (${endpoints}: ${reason}); ` +
        'this node cannot join the cluster without it: start etcd, or correct coordination.etcd.endpoints',
    )
  }

  async #close(): Promise<void> {
    for (const watch of this.#watches) watch.close()
    this.#onClosed()
    // Calls under way are answered already; their sockets are free at their deadline at the latest.
    await Promise.allSettled(this.#underWay)
    this.#endpoints.close()
  }

  async #repeat<T>(call: Call<T>): Promise<T> {
    const answer = await this.#ask(call)
    if ('fault' in answer) throw unavailable(answer.fault)
    return answer.value
  }

  /** An idempotent call. Rejects only with COORDINATION_CLOSED. */
  async #ask<T>(call: Call<T>): Promise<Answer<T>> {
    if (this.#closed !== undefined) throw closedError()
    const answer = await this.#unlessClosed(this.#attempt(call, 'unknown'))
    if (answer === 'closed') throw closedError()
    return answer
  }

  #unlessClosed<T>(answer: Promise<T>): Promise<T | 'closed'> {
    this.#underWay.add(answer)
    void answer.then(() => this.#underWay.delete(answer))
    return Promise.race([answer, this.#closing])
  }

  /** Tries, on one endpoint after another, while the fault is at most as bad as `repeatable`. Never rejects. */
  async #attempt<T>(call: Call<T>, repeatable: 'notSent' | 'unknown'): Promise<Answer<T>> {
    const endMs = this.#clock.now() + this.#timeoutMs
    const attemptMs =
      repeatable === 'unknown' ? this.#timeoutMs / this.#endpoints.all.length : this.#timeoutMs
    const backoff = new Backoff(this.#clock, this.#options.random, RETRY_PAUSE_FIRST_MS, RETRY_PAUSE_MAX_MS)
    let isTokenNew = false
    // A refused certificate is told of, or the connection is just reset, as it happens: what says more is what is reported.
    let telling: EtcdFault | undefined
    for (let attempt = 1; ; attempt++) {
      const endpoint = this.#endpoints.current
      const leftMs = Math.min(attemptMs, endMs - this.#clock.now())
      try {
        const deadline = this.#clock.wallNow() + leftMs
        await endpoint.authenticate(deadline)
        return { value: await call(endpoint.client, { deadline }) }
      } catch (error) {
        const fault = etcdFault(error)
        if (fault.name === 'token-unknown' && !isTokenNew) {
          isTokenNew = true
          continue
        }
        if (fault.kind === 'refused') return { fault }
        if (REFUSALS_AT_START.has(fault.name)) telling = fault
        this.#endpoints.moveOnFrom(endpoint)
        const allTried = attempt % this.#endpoints.all.length === 0
        const pauseMs = allTried ? backoff.next() : 0
        const isLast = this.#closed !== undefined || this.#clock.now() + pauseMs >= endMs
        if (isLast || (fault.kind === 'unknown' && repeatable === 'notSent'))
          return { fault: telling === undefined ? fault : { ...telling, kind: fault.kind } }
        if (pauseMs > 0) await pause(this.#clock, pauseMs)
      }
    }
  }
}

/** One keepalive on a stream of its own, so that the caller knows when it was sent. */
async function keepAliveOnce(
  client: EtcdClient,
  leaseId: string,
  options: { readonly deadline: number },
): Promise<'alive' | 'expired'> {
  const stream = await client.leaseClient.leaseKeepAlive(options)
  try {
    return await new Promise((resolve, reject) => {
      stream.on('data', ({ TTL }) => resolve(Number(TTL) > 0 ? 'alive' : 'expired'))
      stream.on('error', reject)
      stream.on('end', () => reject(new Error('etcd ended the keepalive stream')))
      stream.write({ ID: leaseId })
    })
  } catch (error) {
    if (errorMessage(error).includes('requested lease not found')) return 'expired'
    throw error
  } finally {
    // Not `cancel`: after a few reset streams the whole connection is dropped, and every watch with it.
    stream.end()
  }
}

function unavailable(fault: EtcdFault): GrapevineError {
  if (fault.kind === 'refused') return new StoreRefusal(`etcd refused: ${fault.reason}`, fault.isStanding)
  return new GrapevineError('COORDINATION_UNAVAILABLE', `etcd does not answer: ${fault.reason}`)
}

function closedError(): GrapevineError {
  return new GrapevineError('COORDINATION_CLOSED', 'the coordination store was closed; this node is stopping')
}
