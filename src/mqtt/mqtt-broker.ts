/**
 * The MQTT side of a node, put together: what the connections share, and the few events that concern all of them.
 */
import type { MqttOptions, MqttServices, MqttStats } from './mqtt-services.ts'
import { BufferPool } from './buffer-pool.ts'
import { OutputScheduler } from './output-scheduler.ts'
import { SessionRegistry } from './session-registry.ts'
import { PublishDecoder } from './wire/publish-decoder.ts'
import { PublishEncoder } from './wire/publish-encoder.ts'

/** What the MQTT side needs of the rest of the node. */
export type MqttPorts = Pick<
  MqttServices,
  'clock' | 'random' | 'logger' | 'journal' | 'router' | 'ownership' | 'index' | 'interest' | 'forwarder'
>

export class MqttBroker {
  readonly sessions: SessionRegistry
  readonly stats: MqttStats
  readonly #scheduler: OutputScheduler

  constructor(ports: MqttPorts, options: MqttOptions) {
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
    }
    this.#scheduler = new OutputScheduler(ports.clock)
    this.sessions = new SessionRegistry({
      ...ports,
      options,
      scheduler: this.#scheduler,
      pool: new BufferPool(),
      decoder: new PublishDecoder(),
      encoder: new PublishEncoder(),
      stats: this.stats,
    })
  }

  /** Lets waiting and future CONNECTs in. */
  serve(): void {
    this.sessions.isServing = true
    this.#scheduler.wake()
  }

  /** Publishers that were stopped because queues to other nodes were full go on. */
  wake(): void {
    this.#scheduler.wake()
  }
}
