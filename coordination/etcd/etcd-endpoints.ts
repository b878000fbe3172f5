import type { Etcd3, IOptions } from 'etcd3'
import type { EtcdAccess } from './etcd-access.ts'
import { EtcdClient } from './etcd-client.ts'

type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>
type CallOptions = NonNullable<Parameters<Etcd3['kv']['range']>[1]>
type Interceptor = NonNullable<CallOptions['interceptors']>[number]

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

/** In the place of etcd's own text, on which etcd3 would repeat the call without end. */
const LOGIN_RAN_OUT = 'etcdserver: the login ran out'

/**
 * One etcd endpoint, its client, and the token that authenticates its calls. etcd3's own authentication is not used: it
 * opens a channel per token and never closes it, and does not renew tokens for streams.
 */
export class EtcdEndpoint {
  readonly url: string
  readonly client: EtcdClient
  readonly #auth: EtcdAccess['auth']
  #token: string | undefined
  #asking: Promise<void> | undefined

  constructor(url: string, { tls, auth }: EtcdAccess) {
    this.url = url
    this.#auth = auth
    this.client = new EtcdClient(
      {
        hosts: url.replace(/\/$/, ''),
        ...(tls === undefined ? {} : { credentials: tls }),
        grpcOptions,
        faultHandling: { global: noPolicy, host: () => noPolicy },
      },
      auth === undefined ? {} : { interceptors: [this.#addToken()] },
    )
  }

  /** To be awaited before a call: asks for a token when there is none. Rejects as a call does. */
  authenticate(deadline: number): Promise<void> {
    const auth = this.#auth
    if (auth === undefined || this.#token !== undefined) return Promise.resolve()
    this.#asking ??= this.client.auth
      .authenticate({ name: auth.username, password: auth.password }, { deadline })
      .then(({ token }) => void (this.#token = token))
      .finally(() => (this.#asking = undefined))
    return this.#asking
  }

  #addToken(): Interceptor {
    return (options, nextCall) => {
      const call = nextCall(options)
      const start = call.start.bind(call)
      call.start = (metadata, listener) => {
        if (this.#token !== undefined) metadata.set('token', this.#token)
        start(metadata, {
          onReceiveMetadata: received => listener?.onReceiveMetadata?.(received),
          onReceiveMessage: message => listener?.onReceiveMessage?.(message),
          onReceiveStatus: status => {
            const isUnknown = status.details.includes('invalid auth token')
            if (isUnknown) this.#token = undefined
            listener?.onReceiveStatus?.(isUnknown ? { ...status, details: LOGIN_RAN_OUT } : status)
          },
        })
      }
      // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- of the class only these methods are used
      return call as ReturnType<Interceptor>
    }
  }
}

/** The configured endpoints, one of them in use; a failing one is left for the next. */
export class EtcdEndpoints {
  readonly all: readonly EtcdEndpoint[]
  #current = 0
  readonly #movedListeners = new Set<() => void>()

  constructor(urls: readonly string[], access: EtcdAccess = {}) {
    if (urls.length === 0) throw new Error('an etcd store needs at least one endpoint')
    this.all = urls.map(url => new EtcdEndpoint(url, access))
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
