import type {
  CoordinationOperation,
  CoordinationTransaction,
  CoordinationTransactionResult,
} from '../src/core/ports/coordination-store.ts'
import { LatencyHistogram } from './latency-histogram.ts'

export const storeCalls = [
  'get',
  'range',
  'transact',
  'grantLease',
  'keepAlive',
  'revokeLease',
  'compact',
  'status',
] as const
export type StoreCall = (typeof storeCalls)[number]

/** `refused`: the store said no. `held`: not made, the breaker was open. Else as `CoordinationOutcome` says. */
export const storeFailures = ['unavailable', 'unknown', 'refused', 'held'] as const
export type StoreFailure = (typeof storeFailures)[number]

/** What was asked of a store and what it cost, since the start. */
export class StoreStats {
  readonly latency = byKey(storeCalls, () => new LatencyHistogram())
  readonly failures: Record<StoreFailure, number> = byKey(storeFailures, () => 0)
  watchResets = 0
  puts = 0
  deletes = 0
  /** Bytes of keys and values put. */
  putBytes = 0
  sessionPuts = 0
  sessionPutBytes = 0
  readonly #sessionsPrefix: string

  /** `sessionsPrefix`: what keys of session records begin with. */
  constructor(sessionsPrefix: string) {
    this.#sessionsPrefix = sessionsPrefix
  }

  /** Counts what a transaction wrote. */
  written(transaction: CoordinationTransaction, result: CoordinationTransactionResult): void {
    const operations = result.succeeded ? transaction.success : transaction.failure
    for (let i = 0; i < operations.length; i++) {
      const operation = operations[i] as CoordinationOperation
      const outcome = result.results[i]
      if (operation.type === 'put') this.#put(operation.key, operation.value)
      else if (outcome?.type === 'delete') this.deletes += outcome.deleted
      else if (operation.type === 'transaction' && outcome?.type === 'transaction') {
        this.written(operation.transaction, outcome.result)
      }
    }
  }

  #put(key: string, value: Uint8Array): void {
    const bytes = Buffer.byteLength(key) + value.byteLength
    this.puts++
    this.putBytes += bytes
    if (!key.startsWith(this.#sessionsPrefix)) return
    this.sessionPuts++
    this.sessionPutBytes += bytes
  }
}

function byKey<K extends string, V>(keys: readonly K[], make: () => V): Record<K, V> {
  return Object.fromEntries(keys.map(key => [key, make()])) as Record<K, V>
}
