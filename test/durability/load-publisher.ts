import type { IConnackPacket, IPublishPacket, Packet } from 'mqtt-packet'
import type { MqttVersion } from '../support/raw-packet.ts'
import { payloadOf, type PublisherHistory } from './delivery-checker.ts'
import { PacketSocket } from './packet-socket.ts'

interface InFlight {
  readonly sequence: number
  readonly messageId: number
  /** PUBREC came: from now on PUBREL is what is sent again [MQTT-4.4.0-1]. */
  isReceived: boolean
}

/** Messages that may wait for their acknowledgement. */
const window = 16

/**
 * A publisher that keeps its session's state as a client must: it publishes without pause, and after a reconnection sends again
 * what is unacknowledged, in order.
 */
export class LoadPublisher {
  readonly #name: string
  readonly #topic: string
  readonly #qos: 1 | 2
  readonly #version: MqttVersion
  readonly #mayBeRefused: boolean
  readonly #acknowledged = new Set<number>()
  readonly #violations: string[] = []
  /** In the order they were first sent, which is the order of a resend. */
  #inFlight: InFlight[] = []
  #sent = 0
  #lastId = 0
  #hasSession = false
  #isPublishing = true
  #socket: PacketSocket | undefined
  #onIdle: (() => void) | undefined
  #onAnswer: (code: number) => void = () => {}
  #isConnected = false

  constructor(options: {
    name: string
    topic: string
    qos: 1 | 2
    version: MqttVersion
    /** CONNACK may say no, in which case the caller connects again. */
    mayBeRefused?: boolean
  }) {
    this.#name = options.name
    this.#topic = options.topic
    this.#qos = options.qos
    this.#version = options.version
    this.#mayBeRefused = options.mayBeRefused ?? false
  }

  get history(): PublisherHistory {
    return { publisher: this.#name, qos: this.#qos, sent: this.#sent, acknowledged: this.#acknowledged }
  }

  /** Payloads that were sent and whose acknowledgement has not come. */
  get unacknowledged(): readonly string[] {
    return this.#inFlight.map(({ sequence }) => payloadOf(this.#name, sequence))
  }

  /** What the broker said that it must not say. */
  get violations(): readonly string[] {
    return this.#violations
  }

  /** Resolves with the code of CONNACK, or undefined when the connection was lost before it came. */
  connect(target: number | string): Promise<number | undefined> {
    this.#socket?.drop()
    const answered = Promise.withResolvers<number | undefined>()
    this.#onAnswer = answered.resolve
    this.#socket = new PacketSocket(
      target,
      this.#version,
      packet => this.#onPacket(packet),
      () => answered.resolve(undefined),
    )
    this.#socket.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: this.#version,
      clientId: this.#name,
      clean: false,
      keepalive: 0,
      ...(this.#version === 5 && { properties: { sessionExpiryInterval: 3600 } }),
    })
    return answered.promise
  }

  /** Sends nothing new, and resolves when all that was sent is acknowledged. */
  async finish(): Promise<void> {
    this.#isPublishing = false
    if (this.#inFlight.length > 0) await new Promise<void>(resolve => (this.#onIdle = resolve))
  }

  drop(): void {
    this.#socket?.drop()
  }

  #onPacket(packet: Packet): void {
    if (packet.cmd === 'connack') this.#onConnack(packet)
    else if (packet.cmd === 'puback' || packet.cmd === 'pubcomp') this.#onDone(packet)
    else if (packet.cmd === 'pubrec') this.#onReceived(packet)
    else if (packet.cmd !== 'disconnect' || !this.#mayBeRefused)
      this.#violations.push(`${this.#name} got ${packet.cmd}`)
    if (this.#isConnected) this.#publish()
  }

  #onConnack({ sessionPresent, reasonCode, returnCode }: IConnackPacket): void {
    const code = reasonCode ?? returnCode ?? 0
    this.#isConnected = code === 0
    this.#onAnswer(code)
    if (code !== 0) {
      if (!this.#mayBeRefused) this.#violations.push(`${this.#name} got CONNACK ${code}`)
      return
    }
    if (this.#hasSession && !sessionPresent) this.#violations.push(`${this.#name} lost its session`)
    this.#hasSession = true
    this.#socket?.send(
      ...this.#inFlight.map(message =>
        message.isReceived ? release(message) : this.#publishOf(message, true),
      ),
    )
  }

  #onDone({ cmd, messageId, reasonCode = 0 }: Extract<Packet, { cmd: 'puback' | 'pubcomp' }>): void {
    const index = this.#inFlight.findIndex(message => message.messageId === messageId)
    const message = this.#inFlight[index]
    if (message === undefined || (cmd === 'pubcomp') !== message.isReceived) {
      this.#violations.push(`${this.#name} got ${cmd} ${messageId ?? 0} for nothing`)
      return
    }
    // 0x92: the broker had completed it before it was killed.
    if (reasonCode >= 0x80 && !(cmd === 'pubcomp' && reasonCode === 0x92))
      this.#violations.push(`${this.#name} got ${cmd} with ${reasonCode}`)
    this.#inFlight.splice(index, 1)
    this.#acknowledged.add(message.sequence)
    if (this.#inFlight.length === 0) this.#onIdle?.()
  }

  #onReceived({ messageId, reasonCode = 0 }: Extract<Packet, { cmd: 'pubrec' }>): void {
    const message = this.#inFlight.find(candidate => candidate.messageId === messageId)
    if (message === undefined || reasonCode >= 0x80) {
      this.#violations.push(`${this.#name} got pubrec ${messageId ?? 0} with ${reasonCode}`)
      return
    }
    message.isReceived = true
    this.#socket?.send(release(message))
  }

  #publish(): void {
    while (this.#isPublishing && this.#inFlight.length < window) {
      const used = new Set(this.#inFlight.map(({ messageId }) => messageId))
      do this.#lastId = (this.#lastId % 0xffff) + 1
      while (used.has(this.#lastId))
      const message = { sequence: this.#sent++, messageId: this.#lastId, isReceived: false }
      this.#inFlight.push(message)
      this.#socket?.send(this.#publishOf(message, false))
    }
  }

  #publishOf({ sequence, messageId }: InFlight, dup: boolean): IPublishPacket {
    const payload = payloadOf(this.#name, sequence)
    return { cmd: 'publish', topic: this.#topic, payload, qos: this.#qos, dup, retain: false, messageId }
  }
}

function release({ messageId }: InFlight): Packet {
  return { cmd: 'pubrel', messageId }
}
