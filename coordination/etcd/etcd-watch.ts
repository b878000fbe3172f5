import type { IDuplexStream, IWatchRequest, IWatchResponse } from 'etcd3'
import type { Clock } from '../../src/core/ports/clock.ts'
import type {
  CoordinationEntry,
  CoordinationEvent,
  CoordinationWatch,
  CoordinationWatcher,
} from '../../src/core/ports/coordination-store.ts'
import type { Logger } from '../../src/core/ports/logger.ts'
import type { Random } from '../../src/core/ports/random.ts'
import { Backoff } from '../backoff.ts'
import { faultReason } from './etcd-faults.ts'
import type { EtcdEndpoint, EtcdEndpoints } from './etcd-endpoints.ts'
import { prefixRange, toEntry } from './etcd-messages.ts'

type Stream = IDuplexStream<IWatchRequest, IWatchResponse>

interface EtcdWatchContext {
  readonly endpoints: EtcdEndpoints
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  range(prefix: string): Promise<{ entries: readonly CoordinationEntry[]; revision: number }>
}

/**
 * One watch on a stream of its own. etcd3's watcher resumes by itself and may skip events, so this one never resumes:
 * whenever the stream ends, for whatever reason, it lists again, resets its watcher, and watches from there.
 */
export class EtcdWatch implements CoordinationWatch {
  readonly #context: EtcdWatchContext
  readonly #prefix: string
  readonly #watcher: CoordinationWatcher
  readonly #backoff: Backoff
  readonly #forgetMoves: () => void
  #stream: Stream | undefined
  #endpoint: EtcdEndpoint | undefined
  #broken = false
  #closed = false

  constructor(context: EtcdWatchContext, prefix: string, watcher: CoordinationWatcher) {
    this.#context = context
    this.#prefix = prefix
    this.#watcher = watcher
    this.#backoff = new Backoff(context.clock, context.random, 100, 3000)
    // An etcd member cut off from the others keeps its watch streams open and silent: follow where calls go.
    this.#forgetMoves = context.endpoints.onMoved(() => {
      if (this.#endpoint !== context.endpoints.current) this.#onEnd(this.#stream, 'moved to another endpoint')
    })
    void this.#begin()
  }

  close(): void {
    this.#closed = true
    this.#forgetMoves()
    if (this.#stream !== undefined) endStream(this.#stream)
    this.#stream = undefined
  }

  async #begin(): Promise<void> {
    const listed = await this.#context.range(this.#prefix).catch(faultReason)
    if (this.#closed) return
    if (typeof listed === 'string') {
      this.#again(listed)
      return
    }
    this.#watcher.onReset(listed.entries, listed.revision)
    this.#endpoint = this.#context.endpoints.current
    const opened = await this.#endpoint.client.watchClient.watch().catch(faultReason)
    if (typeof opened === 'string') {
      this.#again(opened)
      return
    }
    this.#listen(opened, listed.revision)
  }

  #listen(stream: Stream, afterRevision: number): void {
    stream.on('data', response => this.#onResponse(stream, response))
    stream.on('error', error => this.#onEnd(stream, faultReason(error)))
    stream.on('end', () => this.#onEnd(stream, 'etcd ended the stream'))
    if (this.#closed) {
      endStream(stream)
      return
    }
    this.#stream = stream
    stream.write({
      create_request: { ...prefixRange(this.#prefix), start_revision: String(afterRevision + 1) },
    })
    if (this.#endpoint !== this.#context.endpoints.current) this.#onEnd(stream, 'moved to another endpoint')
  }

  #onResponse(stream: Stream, response: IWatchResponse): void {
    if (stream !== this.#stream || this.#closed) return
    if (response.canceled) {
      const compacted = Number(response.compact_revision) > 0
      this.#onEnd(stream, compacted ? 'the history was compacted' : faultReason(response.cancel_reason))
      return
    }
    this.#backoff.reset()
    if (this.#broken) this.#context.logger.info('etcd watch works again', { prefix: this.#prefix })
    this.#broken = false
    const last = response.events[response.events.length - 1]
    if (last === undefined) return
    this.#watcher.onEvents(response.events.map(toEvent), Number(last.kv.mod_revision))
  }

  #onEnd(stream: Stream | undefined, reason: string): void {
    if (stream === undefined || stream !== this.#stream || this.#closed) return
    this.#stream = undefined
    endStream(stream)
    this.#again(reason)
  }

  #again(reason: string): void {
    if (this.#closed) return
    if (!this.#broken)
      this.#context.logger.warn('etcd watch broke off; listing again', { prefix: this.#prefix, reason })
    this.#broken = true
    this.#context.clock.schedule(this.#backoff.next(), () => {
      if (!this.#closed) void this.#begin()
    })
  }
}

function toEvent(event: IWatchResponse['events'][number]): CoordinationEvent {
  const entry = toEntry(event.kv)
  // etcd3's types say Put, the wire says PUT.
  return event.type.toUpperCase() === 'PUT'
    ? { type: 'put', entry }
    : { type: 'delete', key: entry.key, revision: entry.modRevision }
}

/** Ended before it is cancelled: etcd3 closes all channels of a client when a stream still open for writing is. */
function endStream(stream: Stream): void {
  stream.end()
  stream.cancel()
}
