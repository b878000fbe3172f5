import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import {
  generate,
  parser,
  type IConnackPacket,
  type IConnectPacket,
  type IPublishPacket,
  type ISubackPacket,
  type ISubscription,
  type Packet,
  type PacketCmd,
} from 'mqtt-packet'
import { readVariable, type MqttVersion } from './raw-packet.ts'

/** A packet as mqtt-packet reads it, with the very bytes it came in. */
export type Received<P extends Packet = Packet> = P & { readonly bytes: Buffer }
type PacketOf<C extends PacketCmd> = Extract<Packet, { cmd: C }>

/** How long an awaited packet or close may take before the test fails. */
const deadlineMs = 3_000

/**
 * A client that does nothing by itself: it sends what it is told, valid or not, and keeps what comes until it is asked
 * for. It answers no PUBLISH and sends no PINGREQ of its own.
 */
export class RawClient {
  readonly version: MqttVersion
  readonly #socket: Socket
  readonly #unread: Received[] = []
  #bytes = Buffer.alloc(0)
  #isClosed = false
  #fault: Error | undefined
  /** Called at every packet and at the close. */
  #wake: () => void = () => {}

  private constructor(socket: Socket, version: MqttVersion) {
    this.#socket = socket
    this.version = version
    socket.setNoDelay(true)
    socket.on('data', chunk => this.#onData(chunk))
    // A reset is a close; what matters is that the broker ended the connection.
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      this.#isClosed = true
      this.#wake()
    })
  }

  /** Opens a TCP connection and sends nothing. `version` says how to write and read packets. */
  static async open(port: number, version: MqttVersion): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1')
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    return new RawClient(socket, version)
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Sends packets and bytes in one write. */
  send(...packets: readonly (Packet | Uint8Array)[]): void {
    this.#socket.write(
      Buffer.concat(
        packets.map(packet =>
          packet instanceof Uint8Array ? packet : generate(packet, { protocolVersion: this.version }),
        ),
      ),
    )
  }

  /** Sends CONNECT, with a clean start unless told otherwise, and awaits its CONNACK whatever that says. */
  async connect(options: Partial<IConnectPacket> & { clientId: string }): Promise<Received<IConnackPacket>> {
    this.send({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: this.version,
      clean: true,
      keepalive: 60,
      ...options,
    })
    return this.expect('connack')
  }

  /** Sends SUBSCRIBE and takes its SUBACK, leaving other packets unread. */
  async subscribe(
    subscriptions: string | readonly ISubscription[],
    options: { qos?: 0 | 1 | 2; messageId?: number; properties?: { subscriptionIdentifier?: number } } = {},
  ): Promise<Received<ISubackPacket>> {
    const { qos = 0, messageId = 1, properties } = options
    const list = typeof subscriptions === 'string' ? [{ topic: subscriptions, qos }] : [...subscriptions]
    this.send({ cmd: 'subscribe', messageId, subscriptions: list, ...(properties && { properties }) })
    return this.take('suback')
  }

  /** Sends PUBLISH and awaits nothing. */
  publish(topic: string, payload: string | Buffer, options: Partial<IPublishPacket> = {}): void {
    this.send({ cmd: 'publish', topic, payload, qos: 0, dup: false, retain: false, ...options })
  }

  /** Publishes and waits until the broker has taken the message over, at any QoS. */
  async publishThrough(
    topic: string,
    payload: string | Buffer,
    options: Partial<IPublishPacket> = {},
  ): Promise<void> {
    const { qos = 0, messageId = 1 } = options
    this.publish(topic, payload, { ...options, messageId })
    if (qos === 0) await this.settle()
    if (qos === 1) await this.take('puback')
    if (qos < 2) return
    await this.take('pubrec')
    this.send({ cmd: 'pubrel', messageId })
    await this.take('pubcomp')
  }

  /** The next packet, which must be of this kind. */
  async expect<C extends PacketCmd>(cmd: C): Promise<Received<PacketOf<C>>> {
    const packet = await this.#await(() => this.#unread.shift(), cmd)
    assert.equal(packet.cmd, cmd, `expected ${cmd}, got ${JSON.stringify(packet)}`)
    return packet as Received<PacketOf<C>>
  }

  /** The first packet of this kind; those before it stay unread. */
  async take<C extends PacketCmd>(cmd: C): Promise<Received<PacketOf<C>>> {
    const find = (): Received | undefined => {
      const index = this.#unread.findIndex(packet => packet.cmd === cmd)
      return index < 0 ? undefined : this.#unread.splice(index, 1)[0]
    }
    return (await this.#await(find, cmd)) as Received<PacketOf<C>>
  }

  /** Pings; what the broker sent before its answer stays unread. */
  async settle(): Promise<void> {
    this.send({ cmd: 'pingreq' })
    await this.take('pingresp')
  }

  /** Pings, and gives everything unread that the broker sent before its answer. */
  async drain(): Promise<Received[]> {
    await this.settle()
    return this.#unread.splice(0)
  }

  /** `drain`, for a client to which nothing but messages may come: their payloads as text. */
  async drainPayloads(): Promise<string[]> {
    return (await this.drain()).map(packet => {
      assert.equal(packet.cmd, 'publish')
      return String((packet as IPublishPacket).payload)
    })
  }

  /** Waits until the broker closed the connection; gives what was unread. */
  async closed(): Promise<Received[]> {
    await this.#await(() => (this.#isClosed ? true : undefined), 'the connection to be closed')
    return this.#unread.splice(0)
  }

  /** Sends DISCONNECT (of v5 with `reasonCode`) and waits for the close. */
  async disconnect(reasonCode = 0): Promise<void> {
    this.send({ cmd: 'disconnect', reasonCode })
    await this.closed()
  }

  /** Ends the connection without DISCONNECT. */
  async drop(): Promise<void> {
    this.#socket.destroy()
    await this.#await(() => (this.#isClosed ? true : undefined), 'our own close')
  }

  async #await<T>(poll: () => T | undefined, what: string): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#wake = () => {}
        reject(new Error(`waited ${deadlineMs} ms for ${what}; unread: ${JSON.stringify(this.#unread)}`))
      }, deadlineMs)
      this.#wake = () => {
        const result = poll()
        if (result === undefined && this.#fault === undefined && !this.#isClosed) return
        clearTimeout(timer)
        this.#wake = () => {}
        if (result !== undefined) resolve(result)
        else
          reject(
            this.#fault ??
              new Error(`closed while waiting for ${what}; unread: ${JSON.stringify(this.#unread)}`),
          )
      }
      this.#wake()
    })
  }

  #onData(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    for (let size = packetSize(this.#bytes); size !== undefined; size = packetSize(this.#bytes)) {
      const bytes = this.#bytes.subarray(0, size)
      this.#bytes = this.#bytes.subarray(size)
      const packetParser = parser({ protocolVersion: this.version })
      packetParser.on('packet', packet => this.#unread.push(Object.assign(packet, { bytes })))
      packetParser.on('error', (error: Error) => {
        this.#fault = new Error(`the broker sent ${bytes.toString('hex')}: ${error.message}`)
      })
      packetParser.parse(bytes)
    }
    this.#wake()
  }
}

/** Bytes of the packet at the front, undefined while it is incomplete. */
function packetSize(bytes: Buffer): number | undefined {
  const isLengthComplete = bytes.subarray(1, 5).some(byte => byte < 0x80)
  if (!isLengthComplete) return undefined
  const { value, next } = readVariable(bytes, 1)
  return bytes.length >= next + value ? next + value : undefined
}
