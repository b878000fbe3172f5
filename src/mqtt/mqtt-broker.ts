/**
 * The MQTT side of a node, put together: what the connections share, and the few events that concern all of them.
 */
import { OccasionalLog } from '../core/occasional-log.ts'
import type { Incarnation } from '../core/ids.ts'
import type { Timer } from '../core/ports/clock.ts'
import type { AuthenticationMethod } from '../core/ports/enhanced-authentication.ts'
import type { RetainedIndex, RetainedJournal, RetainedPayloads } from '../core/ports/retained.ts'
import type { SessionJournal } from '../core/ports/session-journal.ts'
import type { MessageId } from '../core/publication.ts'
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
  'clock' | 'random' | 'logger' | 'router' | 'ownership' | 'index' | 'interest' | 'barrier' | 'forwarder'
> & {
  readonly journal: SessionJournal
  readonly retainedIndex: RetainedIndex
  readonly retainedJournal: RetainedJournal
  readonly retainedPayloads: RetainedPayloads
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
  /** When the life before this one was last known to run. */
  #aliveAtMs: number | undefined

  constructor(ports: MqttPorts, options: MqttOptions) {
    const { retainedIndex, retainedJournal, retainedPayloads, authenticationMethods, ...shared } = ports
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
      tailsLate: 0,
      retainedRefused: 0,
      retainedFromFuture: 0,
      barriersMissed: 0,
      subscriptionsOverQuota: 0,
      queued: { messages: 0, bytes: 0 },
    }
    const { stats } = this
    this.#scheduler = new OutputScheduler(ports.clock)
    this.retained = new RetainedMessages(retainedIndex, retainedJournal, retainedPayloads, {
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
      overQuota: new OccasionalLog(ports.clock, (clientId, count) => {
        ports.logger.warn(
          'subscriptions were refused: a session may have no more than sessions.subscriptionsMax and sessions.wildcardLevelsMax say',
          { clientId, count },
        )
      }),
    })
    this.#retainedSweep = ports.clock.repeat(SWEEP_RETAINED_MS, () => {
      this.retained.sweep()
      retainedJournal.markAlive(ports.clock.wallNow())
    })
  }

  /**
   * Brings back what the journals hold. Before any client is accepted. Answers the ids of publications taken here that others
   * may lack, and may get by another node of their publisher's session: this node's sessions have had them.
   */
  async restore(): Promise<readonly MessageId[]> {
    const delivered: MessageId[] = []
    for await (const entry of this.#ports.retainedJournal.load()) this.retained.restore(entry)
    this.#aliveAtMs = await this.#ports.retainedJournal.lastAliveMs()
    for await (const stored of this.#ports.journal.load()) {
      this.sessions.restore(stored)
      for (const { id, isFromElsewhere } of stored.received) {
        if (id !== undefined && isFromElsewhere !== true) delivered.push(id)
      }
    }
    return delivered
  }

  /**
   * The node has joined: what it retains is stamped with this incarnation. A copy kept while the node was away for longer than
   * deletions are remembered is given up, if others have one.
   */
  startRetained(incarnation: Incarnation, hasPeers: boolean): void {
    this.retained.start(incarnation)
    const { clock, logger, retainedJournal } = this.#ports
    const awayMs = clock.wallNow() - (this.#aliveAtMs ?? clock.wallNow())
    if (hasPeers && awayMs > this.#options.retainedTombstoneTtlMs && this.retained.entryCount > 0) {
      logger.info(
        'this node was away for too long; its retained messages are replaced by those of the others',
        {
          awayHours: Math.round(awayMs / 3_600_000),
        },
      )
      this.retained.clear()
    }
    retainedJournal.markAlive(clock.wallNow())
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
