/**
 * `$SYS/broker/…`: this node's own statistics as retained messages, under the names other brokers use.
 *
 * Published to this node's subscribers only; values that did not change are not published again.
 */
import type { Clock, Timer } from '../core/ports/clock.ts'
import type { LocalIndex, PublishRouter } from '../core/ports/routing.ts'
import type { Publication } from '../core/publication.ts'
import type { MqttStats } from './mqtt-services.ts'
import type { RetainedMessages } from './retained-messages.ts'
import type { SessionRegistry } from './session-registry.ts'

export interface SysTopicSources {
  readonly clock: Clock
  readonly router: Pick<PublishRouter, 'deliverLocally'>
  readonly retained: RetainedMessages
  readonly sessions: SessionRegistry
  readonly index: LocalIndex
  readonly stats: MqttStats
}

export class SysTopics {
  readonly #sources: SysTopicSources
  readonly #startedAtMs: number
  readonly #last = new Map<string, string>()
  readonly #timer: Timer

  /** `version`: of this software. `intervalMs` > 0. */
  constructor(sources: SysTopicSources, version: string, intervalMs: number) {
    this.#sources = sources
    this.#startedAtMs = sources.clock.now()
    this.#announce('version', `Grapevine ${version}`)
    this.#timer = sources.clock.repeat(intervalMs, () => this.#announceAll())
    this.#announceAll()
  }

  stop(): void {
    this.#timer.cancel()
  }

  #announceAll(): void {
    const { clock, sessions, stats, index, retained } = this.#sources
    const uptimeSeconds = Math.floor((clock.now() - this.#startedAtMs) / 1000)
    this.#announce('uptime', `${uptimeSeconds} seconds`)
    this.#announce('clients/connected', sessions.connectionCount)
    this.#announce('clients/total', sessions.sessionCount)
    this.#announce('clients/expired', stats.sessionsExpired)
    this.#announce('messages/received', stats.publishesReceived)
    this.#announce('messages/sent', stats.publishesSent)
    this.#announce('messages/dropped', stats.droppedSlowConsumer + stats.droppedQueueFull)
    this.#announce('bytes/received', stats.bytesReceived)
    this.#announce('bytes/sent', stats.bytesSent)
    this.#announce('subscriptions/count', index.subscriptionCount)
    this.#announce('retained messages/count', retained.count)
  }

  #announce(name: string, value: string | number): void {
    const text = String(value)
    if (this.#last.get(name) === text) return
    this.#last.set(name, text)
    const publication: Publication = {
      topic: `$SYS/broker/${name}`,
      payload: Buffer.from(text),
      qos: 0,
      retain: true,
      properties: undefined,
      expiresAtMs: undefined,
      publisher: '',
    }
    this.#sources.retained.announce(publication)
    this.#sources.router.deliverLocally(publication)
  }
}
