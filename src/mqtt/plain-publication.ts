import type { PacketPublication } from '../core/ports/plain-packet-reader.ts'
import type { PlainPacket } from '../core/publication.ts'
import type { QoS } from '../core/qos.ts'

/**
 * A QoS 0 publication in the packet it came in, from a client or from another node. Its payload is cut out only when somebody needs
 * it apart from the packet, which on the way to subscribers of the same version nobody does.
 */
export class PlainPublication implements PacketPublication, PlainPacket {
  readonly qos: QoS = 0
  readonly retain = false
  readonly properties = undefined
  readonly expiresAtMs = undefined
  readonly topic: string
  readonly publisher: string
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly isVersion5: boolean
  readonly #payloadStart: number

  constructor(
    topic: string,
    publisher: string,
    bytes: Uint8Array,
    start: number,
    payloadStart: number,
    end: number,
    isVersion5: boolean,
  ) {
    this.topic = topic
    this.publisher = publisher
    this.bytes = bytes
    this.start = start
    this.#payloadStart = payloadStart
    this.end = end
    this.isVersion5 = isVersion5
  }

  get packet(): PlainPacket {
    return this
  }

  get payload(): Uint8Array {
    return this.bytes.subarray(this.#payloadStart, this.end)
  }
}
