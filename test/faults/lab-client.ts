import type { IConnackPacket, IConnectPacket, IPublishPacket, Packet } from 'mqtt-packet'
import { PacketSocket } from '../durability/packet-socket.ts'

/** One acknowledgement as a client saw it. Times are of the test's one monotonic clock, in ms. */
export interface Acknowledgement {
  readonly sentAtMs: number
  readonly acknowledgedAtMs: number
}

/** One connection's history: what the checker of ownership needs. */
export interface ConnectionHistory {
  readonly clientId: string
  readonly where: string
  /** When its CONNACK with success came; undefined when it never did. */
  establishedAtMs: number | undefined
  closedAtMs: number | undefined
  readonly acknowledgements: Acknowledgement[]
}

export interface LabClientOptions {
  readonly clientId: string
  readonly clean?: boolean
  readonly expirySeconds?: number
  readonly will?: { readonly topic: string; readonly payload: string; readonly delaySeconds?: number }
}

/** A single MQTT 5 connection of a test: remembers what came, and when. Never connects again by itself. */
export class LabClient {
  readonly history: ConnectionHistory
  readonly received: string[] = []
  readonly connack: Promise<IConnackPacket | undefined>
  readonly closed: Promise<void>
  /** Of the DISCONNECT the broker sent. */
  disconnectCode: number | undefined
  readonly #socket: PacketSocket
  readonly #unacknowledged = new Map<number, number>()
  readonly #answers = new Map<string, (packet: Packet) => void>()
  #lastId = 0

  constructor(where: string, target: number | string, options: LabClientOptions) {
    const { clientId, clean = true, expirySeconds = 0, will } = options
    this.history = {
      clientId,
      where,
      establishedAtMs: undefined,
      closedAtMs: undefined,
      acknowledgements: [],
    }
    const connack = Promise.withResolvers<IConnackPacket | undefined>()
    const closed = Promise.withResolvers<void>()
    this.connack = connack.promise
    this.closed = closed.promise
    this.#socket = new PacketSocket(
      target,
      5,
      packet => {
        if (packet.cmd === 'connack') {
          if (packet.reasonCode === 0) this.history.establishedAtMs = performance.now()
          connack.resolve(packet)
        } else this.#onPacket(packet)
      },
      () => {
        this.history.closedAtMs = performance.now()
        connack.resolve(undefined)
        closed.resolve()
      },
    )
    const packet: IConnectPacket = {
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: 5,
      clientId,
      clean,
      keepalive: 0,
      properties: { sessionExpiryInterval: expirySeconds },
    }
    if (will !== undefined) {
      packet.will = {
        topic: will.topic,
        payload: Buffer.from(will.payload),
        qos: 1,
        retain: false,
        properties: { willDelayInterval: will.delaySeconds ?? 0 },
      }
    }
    this.#socket.send(packet)
  }

  get isOpen(): boolean {
    return this.history.closedAtMs === undefined
  }

  async subscribe(filter: string, qos: 0 | 1 | 2 = 1): Promise<void> {
    const messageId = ++this.#lastId
    const answer = new Promise(resolve => this.#answers.set(`suback ${messageId}`, resolve))
    this.#socket.send({ cmd: 'subscribe', messageId, subscriptions: [{ topic: filter, qos }] })
    await Promise.race([answer, this.closed])
  }

  /** At QoS 1; whether it is acknowledged the history tells. */
  publish(topic: string, payload: string): void {
    const messageId = (this.#lastId = (this.#lastId % 0xffff) + 1)
    this.#unacknowledged.set(messageId, performance.now())
    this.#socket.send({ cmd: 'publish', topic, payload, qos: 1, dup: false, retain: false, messageId })
  }

  publishUnacknowledged(topic: string, payload: string): void {
    this.#socket.send({ cmd: 'publish', topic, payload, qos: 0, dup: false, retain: false })
  }

  get unacknowledgedCount(): number {
    return this.#unacknowledged.size
  }

  /** Says goodbye, so that no will is published. */
  end(): void {
    this.#socket.send({ cmd: 'disconnect', reasonCode: 0 })
    setTimeout(() => this.drop(), 50).unref()
  }

  drop(): void {
    this.history.closedAtMs ??= performance.now()
    this.#socket.drop()
  }

  #onPacket(packet: Packet): void {
    if (packet.cmd === 'publish') this.#onPublish(packet)
    else if (packet.cmd === 'pubrel') this.#socket.send({ cmd: 'pubcomp', messageId: packet.messageId ?? 0 })
    else if (packet.cmd === 'puback') this.#onPuback(packet.messageId ?? 0)
    else if (packet.cmd === 'disconnect') this.disconnectCode = packet.reasonCode
    else this.#answers.get(`${packet.cmd} ${packet.messageId ?? 0}`)?.(packet)
  }

  #onPublish({ qos, messageId = 0, payload }: IPublishPacket): void {
    if (qos === 1) this.#socket.send({ cmd: 'puback', messageId })
    if (qos === 2) this.#socket.send({ cmd: 'pubrec', messageId })
    this.received.push(String(payload))
  }

  #onPuback(messageId: number): void {
    const sentAtMs = this.#unacknowledged.get(messageId)
    if (sentAtMs === undefined) return
    this.#unacknowledged.delete(messageId)
    this.history.acknowledgements.push({ sentAtMs, acknowledgedAtMs: performance.now() })
  }
}
