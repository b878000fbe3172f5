import type { IKeyValue, IStatusResponse } from 'etcd3'
import type { CoordinationEntry, CoordinationStoreStatus } from '../../src/core/ports/coordination-store.ts'

/** Translation between the port's terms and etcd's messages. Revisions are int64 as decimal text there. */

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
