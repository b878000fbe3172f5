import {
  CompareResult,
  CompareTarget,
  type ICompare,
  type IKeyValue,
  type IRequestOp,
  type IResponseOp,
  type IStatusResponse,
  type ITxnRequest,
  type ITxnResponse,
} from 'etcd3'
import type {
  CoordinationCompare,
  CoordinationEntry,
  CoordinationOperation,
  CoordinationOperationResult,
  CoordinationStoreStatus,
  CoordinationTransaction,
  CoordinationTransactionResult,
} from '../../src/core/ports/coordination-store.ts'

/** Translation between the port's terms and etcd's messages. Revisions are int64 as decimal text there. */

const RESULTS = {
  equal: CompareResult.Equal,
  greater: CompareResult.Greater,
  less: CompareResult.Less,
  notEqual: CompareResult.NotEqual,
} as const

export function toTxnRequest({ compare, success, failure }: CoordinationTransaction): ITxnRequest {
  return {
    compare: compare.map(toCompare),
    success: success.map(toRequestOp),
    failure: failure.map(toRequestOp),
  }
}

function toCompare({ key, target, is, revision }: CoordinationCompare): ICompare {
  const common = { key: Buffer.from(key), result: RESULTS[is] }
  return target === 'createRevision'
    ? { ...common, target: CompareTarget.Create, create_revision: String(revision) }
    : { ...common, target: CompareTarget.Mod, mod_revision: String(revision) }
}

function toRequestOp(operation: CoordinationOperation): IRequestOp {
  switch (operation.type) {
    case 'put': {
      const { key, value, leaseId } = operation
      return { request_put: { key: Buffer.from(key), value: Buffer.from(value), lease: leaseId ?? '0' } }
    }
    case 'delete':
      return { request_delete_range: { key: Buffer.from(operation.key) } }
    case 'get':
      return { request_range: { key: Buffer.from(operation.key) } }
    case 'transaction':
      return { request_txn: toTxnRequest(operation.transaction) }
  }
}

/** `transaction` is the one that was asked: its operations say what each response is. */
export function fromTxnResponse(
  transaction: CoordinationTransaction,
  response: ITxnResponse,
): CoordinationTransactionResult {
  return resultAt(transaction, response, Number(response.header.revision))
}

function resultAt(
  transaction: CoordinationTransaction,
  response: ITxnResponse,
  revision: number,
): CoordinationTransactionResult {
  const operations = response.succeeded ? transaction.success : transaction.failure
  const results = operations.map((operation, index): CoordinationOperationResult => {
    const { response_delete_range, response_range, response_txn } = response.responses[index] as IResponseOp
    switch (operation.type) {
      case 'put':
        return { type: 'put' }
      case 'delete':
        return { type: 'delete', deleted: Number(response_delete_range.deleted) }
      case 'get':
        return { type: 'get', entry: response_range.kvs.map(toEntry)[0] }
      case 'transaction':
        return { type: 'transaction', result: resultAt(operation.transaction, response_txn, revision) }
    }
  })
  return { succeeded: response.succeeded, revision, results }
}

export function toEntry(kv: IKeyValue): CoordinationEntry {
  return {
    key: kv.key.toString(),
    value: kv.value,
    createRevision: Number(kv.create_revision),
    modRevision: Number(kv.mod_revision),
    leaseId: kv.lease,
  }
}

/** etcd's own default of `--quota-backend-bytes`. */
const DEFAULT_QUOTA_BYTES = 2 * 1024 ** 3

export function toStatus(
  response: IStatusResponse,
  quotaBytes = DEFAULT_QUOTA_BYTES,
): CoordinationStoreStatus {
  const sizeBytes = Number(response.dbSize)
  const inUse = Number(response.dbSizeInUse)
  const alarms = response.errors.flatMap(error => /alarm: ?(\w+)/.exec(error)?.[1] ?? [])
  return {
    sizeBytes,
    sizeInUseBytes: inUse > 0 ? inUse : sizeBytes,
    quotaBytes: quotaBytes === 0 ? undefined : quotaBytes,
    alarm: alarms.length === 0 ? undefined : [...new Set(alarms)].sort().join(', '),
    version: response.version,
  }
}

/** Bounds of the keys that start with `prefix`: UTF-8 has no byte 0xff, so the last one can be raised. */
export function prefixRange(prefix: string): { key: Buffer; range_end: Buffer } {
  const key = Buffer.from(prefix)
  const end = Buffer.from(key)
  const last = end.length - 1
  if (last < 0) return { key: Buffer.from([0]), range_end: Buffer.from([0]) }
  end[last] = (end[last] as number) + 1
  return { key, range_end: end }
}
