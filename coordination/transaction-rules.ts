import { limits } from '../src/core/limits.ts'
import type { CoordinationOperation, CoordinationTransaction } from '../src/core/ports/coordination-store.ts'

/**
 * What every store refuses before it carries anything out, as etcd does: too many operations, a key written twice by
 * operations that can run together, nesting deeper than one level, keys or values out of bounds. One function for all
 * implementations, so that what passes in a simulation passes in etcd.
 *
 * Returns the fault in words, or undefined when the transaction may run.
 */
export function transactionFault(transaction: CoordinationTransaction): string | undefined {
  const operations = operationCount(transaction)
  if (operations > limits.coordinationTransactionOpsMax) {
    return `${operations} operations in one transaction, at most ${limits.coordinationTransactionOpsMax} are allowed`
  }
  return branchesFault(transaction, true)
}

/** As etcd counts: the longest list of the transaction, plus the longest of those nested in it. */
function operationCount({ compare, success, failure }: CoordinationTransaction): number {
  let inner = 0
  for (const branch of [success, failure]) {
    for (const operation of branch) {
      if (operation.type === 'transaction') inner = Math.max(inner, operationCount(operation.transaction))
    }
  }
  return Math.max(compare.length, success.length, failure.length) + inner
}

function branchesFault(transaction: CoordinationTransaction, mayNest: boolean): string | undefined {
  for (const { key } of transaction.compare) {
    const fault = keyFault(key)
    if (fault !== undefined) return fault
  }
  return branchFault(transaction.success, mayNest) ?? branchFault(transaction.failure, mayNest)
}

function branchFault(operations: readonly CoordinationOperation[], mayNest: boolean): string | undefined {
  for (const operation of operations) {
    const fault = operationFault(operation, mayNest)
    if (fault !== undefined) return fault
  }
  const duplicate = operations.length > 1 ? duplicateKey(operations) : undefined
  return duplicate === undefined ? undefined : `duplicate key: ${duplicate} is written twice`
}

/** A key that two of the operations may write. The branches of a nested transaction exclude one another, so they share theirs. */
function duplicateKey(operations: readonly CoordinationOperation[]): string | undefined {
  const written = new Set<string>()
  for (const operation of operations) {
    const keys = keysWritten(operation)
    const duplicate = keys.find(key => written.has(key))
    if (duplicate !== undefined) return duplicate
    for (const key of keys) written.add(key)
  }
  return undefined
}

/** Keys that the operation may put or delete. */
function keysWritten(operation: CoordinationOperation): readonly string[] {
  if (operation.type === 'get') return []
  if (operation.type !== 'transaction') return [operation.key]
  const { success, failure } = operation.transaction
  return [...success, ...failure].flatMap(inner =>
    inner.type === 'put' || inner.type === 'delete' ? inner.key : [],
  )
}

function operationFault(operation: CoordinationOperation, mayNest: boolean): string | undefined {
  if (operation.type === 'transaction') {
    return mayNest
      ? branchesFault(operation.transaction, false)
      : 'a transaction is nested more than one level deep'
  }
  if (operation.type === 'put' && operation.value.byteLength > limits.coordinationValueBytesMax) {
    const bytes = operation.value.byteLength
    return `value of ${operation.key} has ${bytes} bytes, at most ${limits.coordinationValueBytesMax} are allowed`
  }
  return keyFault(operation.key)
}

function keyFault(key: string): string | undefined {
  if (key === '') return 'a key is empty'
  return key.isWellFormed() ? undefined : 'a key is not well-formed Unicode'
}
