import assert from 'node:assert/strict'
import type { Packet } from 'mqtt-packet'
import { PacketSocket } from '../durability/packet-socket.ts'

const deadlineMs = 15_000
const topic = 'bystanders/3f2b6a1c'

/**
 * Two clients that keep to the protocol and exchange messages at QoS 1 all the while, one after the other: each must come once, in
 * order, before a generous deadline.
 */
export class Bystanders {
  readonly #publisher: PacketSocket
  readonly #subscriber: PacketSocket
  /** The first thing that went wrong. */
  #fault: Error | undefined
  #sequence = 0
  #isDelivered = false
  #isAcknowledged = false
  #isStopped = false
  #timer: NodeJS.Timeout | undefined
  #pause: NodeJS.Timeout | undefined
  #wake = (): void => {}

  private constructor(port: number, onReady: () => void) {
    const onClose = (): void => this.#fail('a bystander was disconnected')
    this.#publisher = new PacketSocket(port, 4, packet => this.#onPublisherPacket(packet), onClose)
    this.#subscriber = new PacketSocket(
      port,
      5,
      packet => (packet.cmd === 'suback' ? onReady() : this.#onSubscriberPacket(packet)),
      onClose,
    )
    const connect = { cmd: 'connect', protocolId: 'MQTT', clean: true, keepalive: 60 } as const
    this.#publisher.send({ ...connect, protocolVersion: 4, clientId: 'bystander-publisher' })
    this.#subscriber.send({ ...connect, protocolVersion: 5, clientId: 'bystander-subscriber' })
    this.#subscriber.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 1 }] })
  }

  /** Connects both and begins; what goes wrong is told by `goOn`. */
  static async start(port: number): Promise<Bystanders> {
    return new Promise(resolve => {
      const bystanders = new Bystanders(port, () => {
        bystanders.#publishNext()
        resolve(bystanders)
      })
    })
  }

  /** Messages exchanged so far. */
  get exchanged(): number {
    return this.#sequence
  }

  /** Resolves after `count` further messages; rejects with whatever went wrong since the start. */
  async goOn(count = 3): Promise<void> {
    const goal = this.#sequence + count
    await new Promise<void>((resolve, reject) => {
      this.#wake = () => {
        if (this.#fault !== undefined) reject(this.#fault)
        else if (this.#sequence >= goal) resolve()
      }
      this.#wake()
    })
    this.#wake = () => {}
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
    clearTimeout(this.#pause)
    this.#publisher.drop()
    this.#subscriber.drop()
  }

  #publishNext(): void {
    this.#isDelivered = false
    this.#isAcknowledged = false
    this.#timer = setTimeout(() => this.#fail(`a bystander waited ${deadlineMs} ms`), deadlineMs)
    this.#publisher.send({
      cmd: 'publish',
      topic,
      payload: String(this.#sequence),
      qos: 1,
      messageId: (this.#sequence % 0xffff) + 1,
      dup: false,
      retain: false,
    })
  }

  #onPublisherPacket(packet: Packet): void {
    if (packet.cmd === 'connack') return
    if (packet.cmd !== 'puback' || this.#isAcknowledged) return this.#fail(`the publisher got ${packet.cmd}`)
    this.#isAcknowledged = true
    this.#exchanged()
  }

  #onSubscriberPacket(packet: Packet): void {
    if (packet.cmd === 'connack') return
    if (packet.cmd !== 'publish') return this.#fail(`the subscriber got ${packet.cmd}`)
    const payload = String(packet.payload)
    if (payload !== String(this.#sequence) || this.#isDelivered)
      return this.#fail(`message ${payload} came when ${this.#sequence} was due`)
    this.#subscriber.send({ cmd: 'puback', messageId: packet.messageId ?? 0 })
    this.#isDelivered = true
    this.#exchanged()
  }

  #exchanged(): void {
    if (!this.#isDelivered || !this.#isAcknowledged) return
    clearTimeout(this.#timer)
    this.#sequence++
    this.#wake()
    this.#pause = setTimeout(() => this.#publishNext(), 2)
  }

  #fail(what: string): void {
    if (this.#isStopped) return
    this.#fault ??= new assert.AssertionError({ message: `${what}, after ${this.#sequence} messages` })
    this.#wake()
  }
}
