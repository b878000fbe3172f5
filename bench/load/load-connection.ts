import { connect, type Socket } from 'node:net'
import {
  encodeConnect,
  encodeSubscribe,
  packetType,
  type ProtocolVersion,
  type SubackBarrier,
} from './mqtt-packets.ts'
import { PacketScanner, type PacketSink } from './packet-scanner.ts'
import type { ReceiveBuffer } from './receive-buffer.ts'

/** The broker refused or ended something that the measurement needs; the message is shown as the run's fault. */
export class BrokerFault extends Error {
  override readonly name = 'BrokerFault'
}

/** How long the broker may take over one answer while a run is being set up. */
const answerTimeoutMs = 15_000

export interface LoadConnectionOptions {
  port: number
  version: ProtocolVersion
  clientId: string
  cleanSession: boolean
  receive: ReceiveBuffer
  /** Size of the payload of every PUBLISH this connection will get. */
  payloadBytes: number
  /** Called at most once, when the connection ends before `close` was called. */
  onFault: (fault: BrokerFault) => void
}

/** Receives what the measurement counts. `onChunkEnd` follows the packets of one read. */
export interface LoadReceiver {
  onPublish: PacketSink['onPublish']
  onAcknowledgement: PacketSink['onAcknowledgement']
  onChunkStart(): void
  onChunkEnd(): void
}

/** One MQTT client of the load generator: a socket, a scanner and the handshakes. */
export class LoadConnection implements PacketSink {
  receiver: LoadReceiver | undefined
  readonly #options: LoadConnectionOptions
  readonly #socket: Socket
  #answered: ((bytes: Buffer) => void) | undefined
  #refused: ((fault: BrokerFault) => void) | undefined
  #ended = false
  #isSessionPresent = false

  private constructor(options: LoadConnectionOptions) {
    this.#options = options
    const scanner = new PacketScanner(this, options.payloadBytes)
    this.#socket = connect({
      port: options.port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: options.receive.bytes,
        callback: length => {
          this.#onRead(scanner, length)
          return true
        },
      },
    })
    this.#socket.on('error', error => {
      this.#fail(`the connection broke: ${error.message}`)
    })
    this.#socket.on('close', () => {
      this.#fail('the broker closed the connection')
    })
  }

  /** Connects and waits for CONNACK. Throws `BrokerFault`. */
  static async open(options: LoadConnectionOptions): Promise<LoadConnection> {
    const connection = new LoadConnection(options)
    const connack = await connection.#request(encodeConnect(options), packetType.connack)
    const code = connack[3] ?? 0xff
    connection.#isSessionPresent = (connack[2] ?? 0) === 1
    if (code !== 0) throw new BrokerFault(`CONNECT was refused with 0x${code.toString(16)}`)
    return connection
  }

  /** Connects without waiting for CONNACK, so that a receiver can be set before anything comes. */
  static start(options: LoadConnectionOptions): LoadConnection {
    const connection = new LoadConnection(options)
    connection.write(encodeConnect(options))
    return connection
  }

  /** What CONNACK said, once `open` has resolved. */
  get isSessionPresent(): boolean {
    return this.#isSessionPresent
  }

  /** True while earlier writes have not been taken by the kernel. */
  get blocked(): boolean {
    return this.#socket.writableLength > 0
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  /**
   * Subscribes to one filter and waits for the answer. `barrier` asks for one that differs from the configured (v5 only).
   * Throws `BrokerFault` when less than `qos` is granted.
   */
  async subscribe(filter: string, qos: 0 | 1 | 2, barrier?: SubackBarrier): Promise<void> {
    const packet = encodeSubscribe(this.#options.version, filter, qos, barrier)
    const suback = await this.#request(packet, packetType.suback)
    const granted = suback.at(-1) ?? 0x80
    if (granted !== qos)
      throw new BrokerFault(`SUBSCRIBE to ${filter} at QoS ${qos} got 0x${granted.toString(16)}`)
  }

  /** Ends the connection, after `last` if given, and waits until the broker has closed it too (at most 2 s). */
  async close(last?: Uint8Array): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    const socket = this.#socket
    await new Promise<void>(resolve => {
      const forced = setTimeout(() => socket.destroy(), 2000)
      socket.once('close', () => {
        clearTimeout(forced)
        resolve()
      })
      if (last !== undefined) socket.write(last)
      socket.end()
    })
  }

  onPublish(qos: number, packetId: number, publisher: number, sequence: number, sentAt: number): void {
    this.receiver?.onPublish(qos, packetId, publisher, sequence, sentAt)
  }

  onAcknowledgement(type: number, packetId: number): void {
    this.receiver?.onAcknowledgement(type, packetId)
  }

  onControl(type: number, bytes: Buffer): void {
    if (type === packetType.disconnect) {
      this.#fail(`the broker disconnected with 0x${(bytes[2] ?? 0).toString(16)}`)
      return
    }
    this.#answered?.(bytes)
  }

  #onRead(scanner: PacketScanner, length: number): void {
    const { bytes, view } = this.#options.receive
    this.receiver?.onChunkStart()
    try {
      scanner.scan(bytes, view, length)
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error))
      return
    }
    this.receiver?.onChunkEnd()
  }

  async #request(bytes: Buffer, expected: number): Promise<Buffer> {
    if (this.#ended) throw new BrokerFault(`${this.#options.clientId}: the connection has ended`)
    const answer = await new Promise<Buffer>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new BrokerFault(`no answer of packet type ${expected} within ${answerTimeoutMs} ms`))
      }, answerTimeoutMs)
      this.#answered = received => {
        clearTimeout(timer)
        resolve(received)
      }
      this.#refused = fault => {
        clearTimeout(timer)
        reject(fault)
      }
      this.#socket.write(bytes)
    })
    this.#answered = undefined
    this.#refused = undefined
    if (answer[0] !== undefined && answer[0] >> 4 !== expected)
      throw new BrokerFault('the broker answered out of turn')
    return answer
  }

  #fail(message: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#socket.destroy()
    const fault = new BrokerFault(`${this.#options.clientId}: ${message}`)
    if (this.#refused !== undefined) this.#refused(fault)
    else this.#options.onFault(fault)
  }
}
