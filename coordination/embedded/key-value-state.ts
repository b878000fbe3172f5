import { limits } from '../../src/core/limits.ts'
import type {
  CoordinationCompare,
  CoordinationEntry,
  CoordinationOperation,
  CoordinationOperationResult,
  CoordinationTransaction,
  CoordinationTransactionResult,
} from '../../src/core/ports/coordination-store.ts'
import { transactionFault } from '../transaction-rules.ts'
import { EventHistory, type RevisionEvents, type StateEvent } from './event-history.ts'
import { LeaseTable } from './lease-table.ts'
import { SortedKeys } from './sorted-keys.ts'

const NONE: readonly Plan[] = []
const PUT: CoordinationOperationResult = { type: 'put' }

type PutOperation = Extract<CoordinationOperation, { type: 'put' }>

/** The branches a transaction takes, decided before anything is written. */
interface Plan {
  readonly succeeded: boolean
  readonly operations: readonly CoordinationOperation[]
  /** Plans of the nested transactions among `operations`, in order. */
  readonly nested: readonly Plan[]
}

/**
 * What etcd's key space is, as a synchronous state machine: revisions, nested compare transactions, leases, history.
 * The embedded and the simulated store put time, durability and a network above it.
 *
 * It never waits, keeps no clock and calls nobody. Invariant: the revision rises by exactly one with every transaction,
 * expiry or revocation that writes, all of whose keys carry it; comparisons, nested ones too, see the state before the
 * transaction, gets see what it has written so far.
 */
export class KeyValueState {
  readonly #entries = new Map<string, CoordinationEntry>()
  readonly #keys = new SortedKeys()
  readonly #leases = new LeaseTable()
  readonly #history: EventHistory
  #revision: number
  #sizeBytes = 0

  /** `entries`: what is there at the start, bound to no lease. `revision`: the store's at the start, ≥ all of theirs. */
  constructor(
    entries: Iterable<CoordinationEntry> = [],
    revision = 1,
    historyEventsMax: number = limits.coordinationHistoryEventsMax,
  ) {
    this.#revision = revision
    this.#history = new EventHistory(revision, historyEventsMax)
    for (const entry of entries) {
      this.#entries.set(entry.key, entry)
      this.#keys.add(entry.key)
      this.#sizeBytes += bytesOf(entry)
    }
  }

  get revision(): number {
    return this.#revision
  }

  /** Bytes of all keys and values. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  get(key: string): CoordinationEntry | undefined {
    return this.#entries.get(key)
  }

  /** Entries whose key starts with `prefix`, in the order of their UTF-8 bytes. */
  range(prefix: string): readonly CoordinationEntry[] {
    return Array.from(this.#keys.withPrefix(prefix), key => this.#entries.get(key) as CoordinationEntry)
  }

  /** Carries the transaction out, or says in words why it is refused. */
  transact(
    transaction: CoordinationTransaction,
  ): CoordinationTransactionResult | { readonly refused: string } {
    const fault = transactionFault(transaction)
    if (fault !== undefined) return { refused: fault }
    const plan = this.#plan(transaction)
    const leaseFault = this.#leaseFault(plan)
    if (leaseFault !== undefined) return { refused: leaseFault }
    const events: StateEvent[] = []
    const nested: { revision: number }[] = []
    const results = this.#execute(plan, events, nested)
    this.#endTransaction(events)
    for (const inner of nested) inner.revision = this.#revision
    return { succeeded: plan.succeeded, revision: this.#revision, results }
  }

  grantLease(leaseId: string, ttlMs: number, nowMs: number): void {
    this.#leases.grant(leaseId, ttlMs, nowMs)
  }

  /** False when the lease has expired or never was; one that is overdue but not yet expired is alive. */
  keepAlive(leaseId: string, nowMs: number): boolean {
    return this.#leases.extend(leaseId, nowMs)
  }

  /** Deletes the lease with its keys, in one revision. Unknown leases are fine. */
  revokeLease(leaseId: string): void {
    const events: StateEvent[] = []
    for (const key of this.#leases.remove(leaseId)) this.#delete(key, events)
    this.#endTransaction(events)
  }

  /** Revokes every lease whose TTL has run out. */
  expireLeases(nowMs: number): void {
    for (const leaseId of this.#leases.expired(nowMs)) this.revokeLease(leaseId)
  }

  /** When `expireLeases` has something to do next. */
  get nextExpiryMs(): number | undefined {
    return this.#leases.nextDeadlineMs
  }

  /** What was written with `after` < revision ≤ `upTo`; undefined when the history no longer reaches back so far. */
  changesBetween(after: number, upTo: number): readonly RevisionEvents[] | undefined {
    return this.#history.between(after, upTo)
  }

  /** Forgets the history before `revision`; says in words why it cannot. Doing it again is fine. */
  compact(revision: number): { readonly refused: string } | undefined {
    if (revision > this.#revision) {
      return { refused: `revision ${revision} is in the future: the store is at ${this.#revision}` }
    }
    this.#history.compact(revision)
    return undefined
  }

  #plan(transaction: CoordinationTransaction): Plan {
    const succeeded = transaction.compare.every(compare => this.#holds(compare))
    const operations = succeeded ? transaction.success : transaction.failure
    let nested: Plan[] | undefined
    for (const operation of operations) {
      if (operation.type === 'transaction') (nested ??= []).push(this.#plan(operation.transaction))
    }
    return { succeeded, operations, nested: nested ?? NONE }
  }

  #holds({ key, target, is, revision }: CoordinationCompare): boolean {
    const actual = this.#entries.get(key)?.[target] ?? 0
    switch (is) {
      case 'equal':
        return actual === revision
      case 'notEqual':
        return actual !== revision
      case 'greater':
        return actual > revision
      case 'less':
        return actual < revision
    }
  }

  #leaseFault(plan: Plan): string | undefined {
    for (const operation of plan.operations) {
      if (operation.type !== 'put' || operation.leaseId === undefined) continue
      if (!this.#leases.has(operation.leaseId)) return `lease ${operation.leaseId} not found`
    }
    for (const inner of plan.nested) {
      const fault = this.#leaseFault(inner)
      if (fault !== undefined) return fault
    }
    return undefined
  }

  /** `transactions` gets the results of those nested, whose revision is known only when the outermost one ends. */
  #execute(
    plan: Plan,
    events: StateEvent[],
    transactions: { revision: number }[],
  ): CoordinationOperationResult[] {
    let nested = 0
    return plan.operations.map(operation => {
      switch (operation.type) {
        case 'put':
          this.#put(operation, events)
          return PUT
        case 'delete':
          return { type: 'delete', deleted: this.#delete(operation.key, events) }
        case 'get':
          return { type: 'get', entry: this.#entries.get(operation.key) }
        case 'transaction': {
          const inner = plan.nested[nested++] as Plan
          const results = this.#execute(inner, events, transactions)
          const result = { succeeded: inner.succeeded, revision: 0, results }
          transactions.push(result)
          return { type: 'transaction', result }
        }
      }
    })
  }

  #put({ key, value, leaseId, isVolatile = false }: PutOperation, events: StateEvent[]): void {
    const before = this.#entries.get(key)
    if (before === undefined) this.#keys.add(key)
    else if (before.leaseId !== '0') this.#leases.unbind(before.leaseId, key)
    if (leaseId !== undefined) this.#leases.bind(leaseId, key)
    const modRevision = this.#revision + 1
    const createRevision = before?.createRevision ?? modRevision
    // In memory of its own: what a value given may be a part of would stay as long as the key.
    const kept = new Uint8Array(value)
    const entry = { key, value: kept, createRevision, modRevision, leaseId: leaseId ?? '0' }
    this.#entries.set(key, entry)
    this.#sizeBytes += bytesOf(entry) - (before === undefined ? 0 : bytesOf(before))
    events.push(isVolatile ? { type: 'put', entry, isVolatile } : { type: 'put', entry })
  }

  #delete(key: string, events: StateEvent[]): number {
    const before = this.#entries.get(key)
    if (before === undefined) return 0
    if (before.leaseId !== '0') this.#leases.unbind(before.leaseId, key)
    this.#entries.delete(key)
    this.#sizeBytes -= bytesOf(before)
    this.#keys.delete(key)
    events.push({ type: 'delete', key, revision: this.#revision + 1 })
    return 1
  }

  #endTransaction(events: readonly StateEvent[]): void {
    if (events.length === 0) return
    this.#revision++
    this.#history.append({ revision: this.#revision, events })
  }
}

function bytesOf({ key, value }: CoordinationEntry): number {
  return Buffer.byteLength(key) + value.byteLength
}
