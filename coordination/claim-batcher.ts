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
  readonly write: () => CoordinationTransaction | undefined
  /** When nobody is interested any more, by `Clock.now`. */
  readonly endMs: number
  readonly settle: (outcome: BatchedOutcome) => void
}

interface Leaving {
  readonly operation: Operation
  readonly transaction: CoordinationTransaction
}

/** Of one batch: with the comparison around them, fewer than the 128 operations etcd takes. */
export const OPERATIONS_MAX = 120
const BYTES_MAX = 512 * 1024
/** Enough for the store to have work while this node handles the answers to what came before. */
export const BATCHES_UNDER_WAY_MAX = 8
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
   * Carries out what `write` answers, which writes no key that belongs to another client id, together with others. `write` is asked
   * when a batch leaves, perhaps more than once: what waits is small. Not sent by `endMs` (of the clock), or undefined by then,
   * it is `unavailable`. Never rejects. How many are submitted at once the caller bounds.
   */
  submit(
    clientId: ClientId,
    write: () => CoordinationTransaction | undefined,
    endMs: number,
  ): Promise<BatchedOutcome> {
    return new Promise(settle => {
      this.#waiting.push({ clientId, write, endMs, settle })
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
  #take(): Leaving[] {
    const nowMs = this.#clock.now()
    const batch: Leaving[] = []
    const passedOver: Operation[] = []
    let bytes = 0
    let taken = 0
    let isFull = false
    for (const operation of this.#waiting) {
      isFull = batch.length === OPERATIONS_MAX
      if (isFull) break
      if (this.#busy.has(operation.clientId)) {
        passedOver.push(operation)
        taken++
        continue
      }
      const transaction = operation.endMs < nowMs ? undefined : operation.write()
      if (transaction === undefined) {
        operation.settle({ outcome: 'unavailable' })
        taken++
        continue
      }
      bytes += requestBytes(transaction)
      isFull = batch.length > 0 && bytes > BYTES_MAX
      if (isFull) break
      this.#busy.add(operation.clientId)
      batch.push({ operation, transaction })
      taken++
    }
    if (isFull) this.#stats.fullBatches++
    this.#waiting.splice(0, taken, ...passedOver)
    return batch
  }

  async #send(batch: readonly Leaving[]): Promise<void> {
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
    batch.forEach(({ operation, transaction }, index) => {
      this.#busy.delete(operation.clientId)
      const own = outcomeOf(outcome, index)
      if (own.outcome === 'done' && own.result.succeeded) this.#count(transaction.success)
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

function outcomeOf(outcome: CoordinationOutcome, index: number): BatchedOutcome {
  if (outcome.outcome !== 'done') return { outcome: outcome.outcome }
  if (!outcome.result.succeeded) return { outcome: 'suspended' }
  const nested = outcome.result.results[index]
  if (nested?.type !== 'transaction')
    throw new Error('a batch was answered with fewer results than operations')
  return { outcome: 'done', result: nested.result }
}

/** An upper bound of what it takes in a request: keys at three bytes a UTF-16 unit, and what surrounds them. */
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
