import { packetType } from './mqtt-packets.ts'
import { stampBytes } from './publish-batch.ts'

/** What a connection's packets mean to its owner. Called synchronously from `PacketScanner.scan`. */
export interface PacketSink {
  /** A PUBLISH is here to its last byte. `packetId` is 0 at QoS 0. */
  onPublish(qos: number, packetId: number, publisher: number, sequence: number, sentAt: number): void
  /** PUBACK, PUBREC, PUBREL or PUBCOMP, by packet type. */
  onAcknowledgement(type: number, packetId: number): void
  /** Any other packet; `bytes` is a copy of the whole packet. */
  onControl(type: number, bytes: Buffer): void
}

/** Longest beginning of a packet that can be cut in two by a chunk boundary: headers, topic, properties, stamp. */
const carryBytesMax = 4096

/**
 * Walks over a byte stream packet by packet, decoding nothing but what the measurement needs. Payload sizes are
 * known, so the stamp is found from the packet's end and topic and properties are never looked at. Payloads are
 * skipped, not collected; only a packet whose beginning is cut by a chunk boundary is copied.
 *
 * Throws on bytes that are not MQTT: the broker under test is at fault and the run is void.
 */
export class PacketScanner {
  readonly #sink: PacketSink
  readonly #payloadBytes: number
  /** Made when first needed: most of many thousand connections never see a cut packet. */
  #carry: Buffer | undefined
  #carried = 0
  /** Bytes of the current PUBLISH that are still to come; its stamp is kept in the fields below. */
  #skip = 0
  #qos = 0
  #packetId = 0
  #publisher = 0
  #sequence = 0
  #sentAt = 0

  /** `payloadBytes`: size of every PUBLISH payload on this connection. */
  constructor(sink: PacketSink, payloadBytes: number) {
    this.#sink = sink
    this.#payloadBytes = payloadBytes
  }

  /** `view` covers the same memory as `bytes`; only the first `length` bytes count. */
  scan(bytes: Uint8Array, view: DataView, length: number): void {
    let at = 0
    while (at < length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, length - at)
        this.#skip -= skipped
        at += skipped
        if (this.#skip === 0) this.#publishComplete()
      } else if (this.#carried > 0) {
        at = this.#scanCarried(bytes, at, length)
      } else {
        const next = this.#scanOne(bytes, view, at, length)
        if (next === at) {
          this.#keep(bytes, at, length)
          return
        }
        at = next
      }
    }
  }

  /** Completes the carried beginning with bytes of the new chunk; answers where in the chunk to go on. */
  #scanCarried(bytes: Uint8Array, at: number, length: number): number {
    const before = this.#carried
    this.#keep(bytes, at, Math.min(length, at + carryBytesMax - before))
    const carry = this.#carryBuffer()
    const carryView = new DataView(carry.buffer, carry.byteOffset, carry.length)
    const consumed = this.#scanOne(carry, carryView, 0, this.#carried)
    if (consumed === 0) {
      if (this.#carried === carryBytesMax) throw new Error('the broker sent a packet whose headers never end')
      return length
    }
    this.#carried = 0
    return at + consumed - before
  }

  #keep(bytes: Uint8Array, from: number, to: number): void {
    const kept = to - from
    if (this.#carried + kept > carryBytesMax)
      throw new Error('the broker sent a packet whose headers never end')
    this.#carryBuffer().set(bytes.subarray(from, to), this.#carried)
    this.#carried += kept
  }

  #carryBuffer(): Buffer {
    this.#carry ??= Buffer.alloc(carryBytesMax)
    return this.#carry
  }

  /** Handles the packet at `at` and answers the position behind what it used; `at` itself when more is needed. */
  #scanOne(bytes: Uint8Array, view: DataView, at: number, end: number): number {
    const head = bytes[at] ?? 0
    let position = at + 1
    let remaining = 0
    for (let shift = 0; ; shift += 7) {
      if (position >= end) return at
      const byte = bytes[position++] ?? 0
      remaining |= (byte & 0x7f) << shift
      if (byte < 0x80) break
      if (shift === 21) throw new Error('the broker sent a malformed remaining length')
    }
    const packetEnd = position + remaining
    const type = head >> 4
    if (type === packetType.publish) return this.#scanPublish(view, head, at, position, packetEnd, end)
    if (packetEnd > end) return at
    if (type >= packetType.puback && type <= packetType.pubcomp) {
      this.#sink.onAcknowledgement(type, view.getUint16(position))
    } else {
      this.#sink.onControl(type, Buffer.from(bytes.subarray(at, packetEnd)))
    }
    return packetEnd
  }

  #scanPublish(
    view: DataView,
    head: number,
    at: number,
    body: number,
    packetEnd: number,
    end: number,
  ): number {
    const payloadAt = packetEnd - this.#payloadBytes
    if (payloadAt < body + 2) throw new Error('the broker sent a PUBLISH with a payload of another size')
    if (payloadAt + stampBytes > end) return at
    const qos = (head >> 1) & 3
    const packetId = qos > 0 ? view.getUint16(body + 2 + view.getUint16(body)) : 0
    const publisher = view.getUint32(payloadAt)
    const sequence = view.getUint32(payloadAt + 4)
    const sentAt = view.getFloat64(payloadAt + 8)
    if (packetEnd <= end) {
      this.#sink.onPublish(qos, packetId, publisher, sequence, sentAt)
      return packetEnd
    }
    this.#qos = qos
    this.#packetId = packetId
    this.#publisher = publisher
    this.#sequence = sequence
    this.#sentAt = sentAt
    this.#skip = packetEnd - end
    return end
  }

  #publishComplete(): void {
    this.#sink.onPublish(this.#qos, this.#packetId, this.#publisher, this.#sequence, this.#sentAt)
  }
}
