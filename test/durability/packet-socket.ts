import { connect, type Socket } from 'node:net'
import { generate, parser, type Packet } from 'mqtt-packet'
import type { MqttVersion } from '../support/raw-packet.ts'

/** A connection that hands packets over as they come; what to answer is its owner's affair. */
export class PacketSocket {
  readonly #socket: Socket
  readonly #version: MqttVersion
  isClosed = false

  /**
   * To a loopback port, or to a Unix socket by its path. `onPacket` is called for each packet of the broker, `onClose` once,
   * whoever closed.
   */
  constructor(
    target: number | string,
    version: MqttVersion,
    onPacket: (packet: Packet) => void,
    onClose: () => void,
  ) {
    this.#version = version
    this.#socket = typeof target === 'string' ? connect(target) : connect(target, '127.0.0.1')
    this.#socket.setNoDelay(true)
    const packets = parser({ protocolVersion: version })
    packets.on('packet', packet => {
      if (!this.isClosed) onPacket(packet)
    })
    this.#socket.on('data', chunk => packets.parse(chunk))
    // A reset is a close.
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => {
      this.isClosed = true
      onClose()
    })
  }

  /** Sends packets in one write. */
  send(...packets: readonly Packet[]): void {
    if (packets.length === 0 || this.isClosed) return
    this.#socket.write(
      Buffer.concat(packets.map(packet => generate(packet, { protocolVersion: this.#version }))),
    )
  }

  /** Reads nothing more until it is told to, as a client that stands still. */
  setReading(isReading: boolean): void {
    if (isReading) this.#socket.resume()
    else this.#socket.pause()
  }

  /** Ends the connection without DISCONNECT; nothing that still comes is handed over. */
  drop(): void {
    this.isClosed = true
    this.#socket.destroy()
  }
}
