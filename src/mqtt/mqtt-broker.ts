/**
 * The MQTT side of a node, put together: what the connections share, and the few events that concern all of them.
 */
import type { Timer } from '../core/ports/clock.ts'
import type { AuthenticationMethod } from '../core/ports/enhanced-authentication.ts'
import type { RetainedIndex, RetainedJournal } from '../core/ports/retained.ts'
import type { SessionJournal } from '../core/ports/session-journal.ts'
import { BufferPool } from './buffer-pool.ts'
import type { MqttOptions, MqttServices, MqttStats } from './mqtt-services.ts'
import { OutputScheduler } from './output-scheduler.ts'
import { RetainedMessages } from './retained-messages.ts'
import { SessionRegistry } from './session-registry.ts'
import { SysTopics } from './sys-topics.ts'
import { PublishDecoder } from './wire/publish-decoder.ts'
import { PublishEncoder } from './wire/publish-encoder.ts'

/** What the MQTT side needs of the rest of the node. */
export type MqttPorts = Pick<
  MqttServices,
  'clock' | 'random' | 'logger' | 'router' | 'ownership' | 'index' | 'interest' | 'forwarder'
> & {
  readonly journal: SessionJournal
  readonly retainedIndex: RetainedIndex
  readonly retainedJournal: RetainedJournal
  readonly authenticationMethods: readonly AuthenticationMethod[]
}

const SWEEP_RETAINED_MS = 60_000

export class MqttBroker {
  readonly sessions: SessionRegistry
  readonly retained: RetainedMessages
  readonly stats: MqttStats
  readonly #ports: MqttPorts
  readonly #options: MqttOptions
  readonly #scheduler: OutputScheduler
  readonly #retainedSweep: Timer
  #sys: SysTopics | undefined

  constructor(ports: MqttPorts, options: MqttOptions) {
    const { retainedIndex, retainedJournal, authenticationMethods, ...shared } = ports
    this.#ports = ports
    this.#options = options
    this.stats = {
      connectionsAccepted: 0,
      connectionsClosed: 0,
      connectsRefused: 0,
      packetFaults: 0,
      publishesReceived: 0,
      publishesSent: 0,
      bytesReceived: 0,
      bytesSent: 0,
      droppedSlowConsumer: 0,
      droppedQueueFull: 0,
      droppedTooLarge: 0,
      droppedExpired: 0,
      sessionsTakenOver: 0,
      sessionsExpired: 0,
      willsPublished: 0,
      retainedRefused: 0,
    }
    const { stats } = this
    this.#scheduler = new OutputScheduler(ports.clock)
    this.retained = new RetainedMessages(retainedIndex, retainedJournal, {
      clock: ports.clock,
      stats,
      options,
    })
    this.sessions = new SessionRegistry({
      ...shared,
      options,
      stats,
      retained: this.retained,
      authenticationMethods: new Map(authenticationMethods.map(method => [method.name, method])),
      scheduler: this.#scheduler,
      pool: new BufferPool(),
      decoder: new PublishDecoder(options.topicLevelsMax),
      encoder: new PublishEncoder(),
    })
    this.#retainedSweep = ports.clock.repeat(SWEEP_RETAINED_MS, () => this.retained.sweep())
  }

  /** Brings back what the journals hold. Before any client is accepted. */
  async restore(): Promise<void> {
    for await (const publication of this.#ports.retainedJournal.load()) this.retained.restore(publication)
    for await (const stored of this.#ports.journal.load()) this.sessions.restore(stored)
  }

  /** Lets waiting and future CONNECTs in. `version`: of this software, for `$SYS`. */
  serve(version: string): void {
    this.sessions.serve()
    if (this.#options.sysIntervalMs === 0) return
    const { sessions, retained, stats } = this
    this.#sys = new SysTopics(
      { ...this.#ports, sessions, retained, stats },
      version,
      this.#options.sysIntervalMs,
    )
  }

  /** Publishers that were stopped because queues to other nodes were full go on. */
  wake(): void {
    this.#scheduler.wake()
  }

  /** Disconnects everybody. */
  stop(): void {
    this.#sys?.stop()
    this.#retainedSweep.cancel()
    this.sessions.stop()
  }
}
