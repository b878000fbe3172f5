import { castGrpcError, Etcd3, type IOptions } from 'etcd3'
import type { CoordinationTransactionResult } from '../../src/core/ports/coordination-store.ts'
import { decodeTxnResponse } from './txn-response.ts'

type CallOptions = NonNullable<Parameters<Etcd3['kv']['txn']>[1]>

/** etcd3's client, and transactions whose messages are not made by it, which took half the time of a claim. */
export class EtcdClient extends Etcd3 {
  readonly #callOptions: CallOptions

  /** `callOptions`: of every call. */
  constructor(options: Omit<IOptions, 'defaultCallOptions'>, callOptions: CallOptions) {
    super({ ...options, defaultCallOptions: callOptions })
    this.#callOptions = callOptions
  }

  /** `request`: from `encodeTxnRequest`. Rejects as etcd3's own calls do. */
  transact(request: Buffer, callOptions: CallOptions): Promise<CoordinationTransactionResult> {
    const options = { ...this.#callOptions, ...callOptions }
    return this.pool.withConnection(
      'KV',
      ({ client, metadata }) =>
        new Promise((resolve, reject) => {
          client.makeUnaryRequest(
            '/etcdserverpb.KV/Txn',
            bytes => bytes,
            decodeTxnResponse,
            request,
            metadata,
            options,
            (error, result) => {
              if (result === undefined) reject(castGrpcError(error ?? new Error('no answer')))
              else resolve(result)
            },
          )
        }),
    )
  }
}
