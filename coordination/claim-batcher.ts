/**
 * Puts operations on session records of many clients into one transaction of the store (PROTOCOLS section 3.1).
 *
 * Each operation is a nested transaction with comparisons of its own, so that one that fails harms no other; the outer one
 * compares this node's member key. It knows nothing of what operations mean. Idle, a batch leaves at the end of the tick;
 * under load operations gather behind the batches under way. Invariants: operations for one client id are carried out one
 * after the other, in the order submitted; no batch is one the store would refuse for its size or for a key written twice.
 */
import type { ClientId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type {
  CoordinationOperation,
  CoordinationOutcome,
  CoordinationStore,
  CoordinationTransaction,
  CoordinationTransactionResult,
} from '../src/core/ports/coordination-store.ts'
import type { ClaimStats } from './claim-stats.ts'
import { isPresent } from './store-calls.ts'

/**
 * What became of one operation. `done`: the batch was carried out; the result is that of the nested transaction. `suspended`:
 * it was not, because this node's member key is gone. `unknown`: read back. `unavailable`: certainly not carried out.
 */
export type BatchedOutcome =
  | { readonly outcome: 'done'; readonly result: CoordinationTransactionResult }
  | { readonly outcome: 'suspended' | 'unknown' | 'unavailable' }

interface Operation {
  readonly clientId: ClientId
  readonly transaction: CoordinationTransaction
  /** An upper bound of what it takes in a request. */
  readonly bytes: number
  /** When nobody is interested any more, by `Clock.now`. */
  readonly endMs: number
  readonly mayLeave: () => boolean
  readonly settle: (outcome: BatchedOutcome) => void
}

const OPERATIONS_MAX = 120
const BYTES_MAX = 512 * 1024
const BATCHES_UNDER_WAY_MAX = 4
/** With a batch under way, so many make another one worth its fixed cost. */
const WORTH_ANOTHER = 40

export class ClaimBatcher {
  readonly #store: CoordinationStore
  readonly #clock: Clock
  readonly #memberKey: () => string
  readonly #stats: ClaimStats
  #waiting: Operation[] = []
  /** Client ids with an operation under way. */
  readonly #busy = new Set<ClientId>()
  #underWay = 0
  #isFlushDue = false

  /** `memberKey`: that of this node now, asked when a batch leaves. */
  constructor(
    { store, clock }: { store: CoordinationStore; clock: Clock },
    memberKey: () => string,
    stats: ClaimStats,
  ) {
    this.#store = store
    this.#clock = clock
    this.#memberKey = memberKey
    this.#stats = stats
  }

  /**
   * Carries out `transaction`, which writes no key that belongs to another client id, together with others. Not sent by
   * `endMs` (of the clock), or not allowed
   * any more in the turn in which its batch leaves, it is `unavailable`. Never rejects. How many are submitted at once the caller bounds.
   */
  submit(
    clientId: ClientId,
    transaction: CoordinationTransaction,
    endMs: number,
    mayLeave = always,
  ): Promise<BatchedOutcome> {
    return new Promise(settle => {
      const bytes = requestBytes(transaction)
      this.#waiting.push({ clientId, transaction, bytes, endMs, mayLeave, settle })
      this.#scheduleFlush()
    })
  }

  #scheduleFlush(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    this.#clock.defer(() => {
      this.#isFlushDue = false
      this.#flush()
    })
  }

  #flush(): void {
    while (this.#mayLeave()) {
      const batch = this.#take()
      if (batch.length === 0) return
      void this.#send(batch)
    }
  }

  #mayLeave(): boolean {
    const worth = this.#underWay === 0 ? 1 : WORTH_ANOTHER
    return this.#waiting.length >= worth && this.#underWay < BATCHES_UNDER_WAY_MAX
  }

  /** The next batch; empty when all that wait are for client ids with an operation under way. */
  #take(): Operation[] {
    const nowMs = this.#clock.now()
    const batch: Operation[] = []
    const passedOver: Operation[] = []
    let bytes = 0
    let taken = 0
    for (const operation of this.#waiting) {
      const isFull = batch.length === OPERATIONS_MAX || (bytes > 0 && bytes + operation.bytes > BYTES_MAX)
      if (isFull) {
        this.#stats.fullBatches++
        break
      }
      taken++
      if (this.#busy.has(operation.clientId)) {
        passedOver.push(operation)
      } else if (operation.endMs < nowMs || !operation.mayLeave()) {
        operation.settle({ outcome: 'unavailable' })
      } else {
        this.#busy.add(operation.clientId)
        batch.push(operation)
        bytes += operation.bytes
      }
    }
    this.#waiting.splice(0, taken, ...passedOver)
    return batch
  }

  async #send(batch: readonly Operation[]): Promise<void> {
    this.#underWay++
    this.#stats.batches++
    this.#stats.batchedOperations += batch.length
    const outcome = await this.#store.transact({
      compare: [isPresent(this.#memberKey())],
      success: batch.map(({ transaction }) => ({ type: 'transaction', transaction })),
      failure: [],
    })
    this.#underWay--
    if (outcome.outcome === 'unknown') this.#stats.unknownBatches++
    batch.forEach((operation, index) => {
      this.#busy.delete(operation.clientId)
      const own = outcomeOf(outcome, index)
      if (own.outcome === 'done' && own.result.succeeded) this.#count(operation.transaction.success)
      operation.settle(own)
    })
    if (this.#waiting.length > 0) this.#scheduleFlush()
  }

  #count(operations: readonly CoordinationOperation[]): void {
    for (const operation of operations) {
      if (operation.type !== 'put' && operation.type !== 'delete') continue
      this.#stats.writes++
      this.#stats.bytesWritten += operation.key.length
      if (operation.type === 'put') this.#stats.bytesWritten += operation.value.length
    }
  }
}

function always(): boolean {
  return true
}

function outcomeOf(outcome: CoordinationOutcome, index: number): BatchedOutcome {
  if (outcome.outcome !== 'done') return { outcome: outcome.outcome }
  if (!outcome.result.succeeded) return { outcome: 'suspended' }
  const nested = outcome.result.results[index]
  if (nested?.type !== 'transaction')
    throw new Error('a batch was answered with fewer results than operations')
  return { outcome: 'done', result: nested.result }
}

/** Keys at three bytes a UTF-16 unit, and what surrounds them. */
function requestBytes({ compare, success, failure }: CoordinationTransaction): number {
  let bytes = 16
  for (const { key } of compare) bytes += 3 * key.length + 24
  for (const branch of [success, failure]) {
    for (const operation of branch) {
      if (operation.type === 'transaction') throw new Error('operations of a batch do not nest')
      bytes += 3 * operation.key.length + 24
      if (operation.type === 'put') bytes += operation.value.length
    }
  }
  return bytes
}
