import type { IPublishPacket, Packet } from 'mqtt-packet'
import { PacketSocket } from './packet-socket.ts'

/**
 * A subscriber over MQTT 5 whose session outlasts its connections. It acknowledges all it gets, and passes a message at QoS 2 on
 * when its identifier is not one it still waits to be released [MQTT-4.3.3-10].
 */
export class LoadSubscriber {
  readonly #filter: string
  readonly #name: string
  readonly #mayBeRefused: boolean
  readonly #deliveries: string[] = []
  readonly #violations: string[] = []
  readonly #seen = new Set<string>()
  readonly #undeclaredCopies: string[] = []
  /** Received at QoS 2 and not released yet; as durable as the session. */
  readonly #unreleased = new Set<number>()
  #hasSession = false
  #socket: PacketSocket | undefined
  #wake = (): void => {}

  /** `mayBeRefused`: CONNACK may say no, in which case the caller connects again. */
  constructor(filter: string, { name = 'subscriber', mayBeRefused = false } = {}) {
    this.#filter = filter
    this.#name = name
    this.#mayBeRefused = mayBeRefused
  }

  /** Payloads in the order they came, copies at QoS 1 included. */
  get deliveries(): readonly string[] {
    return this.#deliveries
  }

  /** Copies at QoS 1 that came without the DUP flag. */
  get undeclaredCopies(): readonly string[] {
    return this.#undeclaredCopies
  }

  get name(): string {
    return this.#name
  }

  get violations(): readonly string[] {
    return this.#violations
  }

  /**
   * Resolves with the code of CONNACK, at the first time when SUBACK came too, or with undefined when the connection is lost
   * before.
   */
  async connect(target: number | string): Promise<number | undefined> {
    this.#socket?.drop()
    return new Promise(resolve => {
      const socket = new PacketSocket(
        target,
        5,
        packet => {
          this.#onPacket(packet, socket)
          if (packet.cmd === 'suback') resolve(0)
          if (packet.cmd === 'connack' && (this.#hasSession || packet.reasonCode !== 0))
            resolve(packet.reasonCode)
          this.#wake()
        },
        () => resolve(undefined),
      )
      this.#socket = socket
      socket.send({
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: 5,
        clientId: this.#name,
        clean: false,
        keepalive: 0,
        properties: { sessionExpiryInterval: 3600 },
      })
    })
  }

  drop(): void {
    this.#socket?.drop()
  }

  /** As `PacketSocket.setReading`, of the present connection. */
  setReading(isReading: boolean): void {
    this.#socket?.setReading(isReading)
  }

  /** Waits until this holds; asked after each packet. */
  async until(condition: () => boolean): Promise<void> {
    if (condition()) return
    await new Promise<void>(resolve => {
      this.#wake = () => {
        if (condition()) resolve()
      }
    })
  }

  /** Whether every QoS 2 delivery under way is complete. */
  get isSettled(): boolean {
    return this.#unreleased.size === 0
  }

  #onPacket(packet: Packet, socket: PacketSocket): void {
    switch (packet.cmd) {
      case 'connack':
        this.#onConnack(packet.reasonCode ?? 0, packet.sessionPresent, socket)
        return
      case 'suback':
        this.#hasSession = true
        return
      case 'publish':
        this.#onPublish(packet, socket)
        return
      case 'pubrel':
        this.#unreleased.delete(packet.messageId ?? 0)
        socket.send({ cmd: 'pubcomp', messageId: packet.messageId ?? 0 })
        return
      case 'disconnect':
        if (!this.#mayBeRefused) this.#violations.push(`${this.#name} was disconnected`)
        return
      default:
        this.#violations.push(`the subscriber got ${packet.cmd}`)
    }
  }

  #onConnack(reasonCode: number, isPresent: boolean, socket: PacketSocket): void {
    if (reasonCode !== 0) {
      if (!this.#mayBeRefused) this.#violations.push(`the subscriber got CONNACK ${reasonCode}`)
      return
    }
    if (this.#hasSession !== isPresent)
      this.#violations.push(`the subscriber got Session Present ${isPresent} instead of ${this.#hasSession}`)
    if (!isPresent) this.#unreleased.clear()
    if (this.#hasSession && isPresent) return
    socket.send({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [{ topic: this.#filter, qos: 2 }],
    })
  }

  #onPublish({ qos, messageId = 0, payload, dup }: IPublishPacket, socket: PacketSocket): void {
    if (qos === 2) {
      socket.send({ cmd: 'pubrec', messageId })
      if (this.#unreleased.has(messageId)) return
      this.#unreleased.add(messageId)
    } else if (qos === 1) {
      socket.send({ cmd: 'puback', messageId })
    } else {
      this.#violations.push('the subscriber got a message at QoS 0')
    }
    const text = String(payload)
    if (qos === 1 && !dup && this.#seen.has(text)) this.#undeclaredCopies.push(text)
    this.#seen.add(text)
    this.#deliveries.push(text)
  }
}
