import { Etcd3, type IOptions } from 'etcd3'

/** One etcd endpoint and its client. */
export interface EtcdEndpoint {
  readonly url: string
  readonly client: Etcd3
}

type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>

/** etcd3 retries and breaks circuits by default; retried writes can lose to themselves, so it must do neither here. */
const noPolicy: Policy = {
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- required by the type
  _altReturn: undefined as never,
  onSuccess: () => ({ dispose: () => {} }),
  onFailure: () => ({ dispose: () => {} }),
  execute: async run => run({ signal: new AbortController().signal }),
}

const grpcOptions = {
  // A dead peer is noticed after 13 s at most. etcd refuses pings more often than every 5 s.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2000,
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
  'grpc.enable_http_proxy': 0,
}

/** The configured endpoints, one of them in use; a failing one is left for the next. */
export class EtcdEndpoints {
  readonly all: readonly EtcdEndpoint[]
  #current = 0
  readonly #movedListeners = new Set<() => void>()

  constructor(urls: readonly string[]) {
    if (urls.length === 0) throw new Error('an etcd store needs at least one endpoint')
    this.all = urls.map(url => ({
      url,
      client: new Etcd3({
        hosts: url,
        grpcOptions,
        faultHandling: { global: noPolicy, host: () => noPolicy },
      }),
    }))
  }

  get current(): EtcdEndpoint {
    return this.all[this.#current] as EtcdEndpoint
  }

  /** A call through `endpoint` failed: the next one is used, unless that has happened already. */
  moveOnFrom(endpoint: EtcdEndpoint): void {
    if (endpoint !== this.current || this.all.length === 1) return
    this.#current = (this.#current + 1) % this.all.length
    for (const listener of [...this.#movedListeners]) listener()
  }

  /** Calls `listener` after each move until the function returned is called. */
  onMoved(listener: () => void): () => void {
    this.#movedListeners.add(listener)
    return () => this.#movedListeners.delete(listener)
  }

  close(): void {
    this.#movedListeners.clear()
    for (const { client } of this.all) client.close()
  }
}
