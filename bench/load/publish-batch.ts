import { encodeRemainingLength, type ProtocolVersion } from './mqtt-packets.ts'

/**
 * What every measured payload begins with: publisher (u32), sequence (u32), send time (f64, milliseconds of
 * `performance.now()` in the load process), all big-endian. The rest of the payload is filler.
 */
export const stampBytes = 16

export interface PublishBatchOptions {
  version: ProtocolVersion
  topic: string
  qos: 0 | 1 | 2
  retain?: boolean
  /** At least `stampBytes`. */
  payloadBytes: number
  /** Number of the publisher, written into each payload. */
  publisher: number
  /** Packets in the prebuilt buffer. */
  capacity: number
}

/**
 * One buffer with `capacity` identical PUBLISH packets, in which only packet identifier and stamp are rewritten
 * before each write. The caller must not fill it again while the kernel has not taken the previous bytes.
 */
export class PublishBatch {
  readonly capacity: number
  /** Bytes of one packet. */
  readonly packetBytes: number
  readonly #bytes: Buffer
  readonly #view: DataView
  readonly #packetIdAt: number
  readonly #payloadAt: number

  constructor(options: PublishBatchOptions) {
    const { version, topic, qos, payloadBytes, publisher, capacity } = options
    const topicBytes = Buffer.from(topic)
    const body = 2 + topicBytes.length + (qos > 0 ? 2 : 0) + (version === 5 ? 1 : 0) + payloadBytes
    const remaining = encodeRemainingLength(body)
    const topicAt = 1 + remaining.length
    this.capacity = capacity
    this.packetBytes = topicAt + body
    this.#packetIdAt = qos > 0 ? topicAt + 2 + topicBytes.length : -1
    this.#payloadAt = this.packetBytes - payloadBytes
    this.#bytes = Buffer.alloc(this.packetBytes * capacity)
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length)
    for (let i = 0, at = 0; i < capacity; i++, at += this.packetBytes) {
      this.#bytes[at] = 0x30 | (qos << 1) | (options.retain === true ? 1 : 0)
      remaining.copy(this.#bytes, at + 1)
      this.#bytes.writeUInt16BE(topicBytes.length, at + topicAt)
      topicBytes.copy(this.#bytes, at + topicAt + 2)
      this.#bytes.fill(0x2e, at + this.#payloadAt, at + this.packetBytes)
      this.#view.setUint32(at + this.#payloadAt, publisher)
    }
  }

  /**
   * Stamps the first `count` packets with consecutive sequences; packet `i` gets the time `sentAt + i * step`. The
   * answer is a view of the batch's own buffer.
   */
  fill(count: number, firstSequence: number, sentAt: number, step: number): Uint8Array {
    const view = this.#view
    const withId = this.#packetIdAt >= 0
    for (let i = 0, at = 0; i < count; i++, at += this.packetBytes) {
      const sequence = firstSequence + i
      if (withId) view.setUint16(at + this.#packetIdAt, packetIdOf(sequence))
      view.setUint32(at + this.#payloadAt + 4, sequence)
      view.setFloat64(at + this.#payloadAt + 8, sentAt + i * step)
    }
    return this.#bytes.subarray(0, count * this.packetBytes)
  }
}

/** Packet identifiers cycle through 1–65535; with windows far below that no two in flight are equal. */
export function packetIdOf(sequence: number): number {
  return (sequence % 65_535) + 1
}
