/**
 * Cuts a byte stream into MQTT control packets, without copying those that arrive whole.
 *
 * It reads only the fixed header (MQTT 5 section 2.1); what is in a packet is the sink's business. It never holds more
 * than one incomplete packet plus what the sink asked it to keep, and never touches memory for bytes that were
 * only announced. Invariant: packets reach the sink in order, each exactly once, unless the sink says `retry`.
 */
import { reason } from '../reason-codes.ts'
import type { PacketFault } from './packet-types.ts'

/**
 * `continue`: next packet, please. `pause`: this packet is done, keep the rest until `resume`. `retry`: keep this one
 * too and hand it over again at `resume`. `closed`: the connection is gone, forget everything.
 */
export type SinkAnswer = 'continue' | 'pause' | 'retry' | 'closed'

export interface PacketSink {
  /**
   * One whole packet: its first byte is at `start`, what follows the fixed header lies in [`bodyStart`, `end`) of `bytes`.
   */
  onPacket(bytes: Uint8Array, start: number, bodyStart: number, end: number): SinkAnswer
}

const tooLarge: PacketFault = { reasonCode: reason.packetTooLarge, detail: 'packet larger than the limit' }
const badLength: PacketFault = { reasonCode: reason.malformedPacket, detail: 'remaining length is malformed' }

const HEADER_BYTES_MAX = 5

/** Packets up to this size get their whole memory when they begin. */
const TRUSTED_BYTES_MAX = 1024 * 1024

export class PacketFramer {
  /** Whole packets, fixed header included, may be at most this long. */
  packetBytesMax: number
  #paused = false
  /** The sink wants nothing more. */
  #isClosed = false
  /** Bytes kept: the start of an incomplete packet, or all that came since a pause. Filled up to `#keptBytes`. */
  #kept: Uint8Array | undefined
  #keptBytes = 0
  // Results of #readHeader.
  #bodyStart = 0
  #end = 0

  constructor(packetBytesMax: number) {
    this.packetBytesMax = packetBytesMax
  }

  get isPaused(): boolean {
    return this.#paused
  }

  /** Takes the next bytes, which then belong to the framer. A fault means the stream is beyond repair. */
  feed(chunk: Uint8Array, sink: PacketSink): PacketFault | undefined {
    if (this.#isClosed) return undefined
    if (this.#paused) {
      this.#keep(chunk, 0)
      return undefined
    }
    if (this.#kept === undefined) return this.#cut(chunk, 0, chunk.length, sink)
    return this.#completeKept(chunk, sink)
  }

  /** Goes on after `pause` or `retry`. */
  resume(sink: PacketSink): PacketFault | undefined {
    this.#paused = false
    const kept = this.#kept
    if (kept === undefined) return undefined
    const length = this.#keptBytes
    this.#forget()
    return this.#cut(kept, 0, length, sink)
  }

  /** The first packet of what was kept is incomplete: adds just the bytes it lacks, so that the rest need not be copied. */
  #completeKept(chunk: Uint8Array, sink: PacketSink): PacketFault | undefined {
    let taken = 0
    while (taken < chunk.length) {
      const kept = this.#kept as Uint8Array
      const header = this.#readHeader(kept, 0, this.#keptBytes)
      if (header === 'malformed') return badLength
      let missing = 1
      if (header === 'complete') {
        if (this.#end > this.packetBytesMax) return tooLarge
        missing = this.#end - this.#keptBytes
      }
      const step = Math.min(missing, chunk.length - taken)
      this.#append(chunk, taken, taken + step)
      taken += step
      if (header === 'complete' && step === missing) break
    }
    const length = this.#keptBytes
    const whole = this.#kept as Uint8Array
    const header = this.#readHeader(whole, 0, length)
    if (header === 'malformed') return badLength
    if (header === 'incomplete') return undefined
    if (this.#end > this.packetBytesMax) return tooLarge
    if (this.#end > length) return undefined
    this.#forget()
    const fault = this.#cut(whole, 0, length, sink)
    if (fault !== undefined || taken === chunk.length || this.#isClosed) return fault
    if (this.#paused) {
      this.#keep(chunk, taken)
      return undefined
    }
    return this.#cut(chunk, taken, chunk.length, sink)
  }

  #cut(bytes: Uint8Array, from: number, to: number, sink: PacketSink): PacketFault | undefined {
    let start = from
    while (start < to) {
      const header = this.#readHeader(bytes, start, to)
      if (header === 'malformed') return badLength
      if (header === 'incomplete') break
      const end = this.#end
      if (end - start > this.packetBytesMax) return tooLarge
      if (end > to) break
      const answer = sink.onPacket(bytes, start, this.#bodyStart, end)
      if (answer !== 'continue') {
        if (answer === 'closed') {
          this.#isClosed = true
          return undefined
        }
        this.#paused = true
        if (answer === 'pause') start = end
        break
      }
      start = end
    }
    if (start < to) this.#append(bytes, start, to)
    return undefined
  }

  #readHeader(bytes: Uint8Array, start: number, to: number): 'complete' | 'incomplete' | 'malformed' {
    let length = 0
    let scale = 1
    for (let i = start + 1; i < start + HEADER_BYTES_MAX; i++) {
      if (i >= to) return 'incomplete'
      const byte = bytes[i] as number
      length += (byte & 0x7f) * scale
      if (byte < 0x80) {
        this.#bodyStart = i + 1
        this.#end = i + 1 + length
        return 'complete'
      }
      scale *= 128
    }
    return 'malformed' // a fifth length byte [MQTT-1.5.5-1]
  }

  #keep(chunk: Uint8Array, from: number): void {
    this.#append(chunk, from, chunk.length)
  }

  #append(bytes: Uint8Array, from: number, to: number): void {
    const needed = this.#keptBytes + to - from
    let kept = this.#kept
    if (kept === undefined || kept.length < needed) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#roomFor(bytes, from, to)))
      if (kept !== undefined) grown.set(kept.subarray(0, this.#keptBytes))
      kept = this.#kept = grown
    }
    kept.set(bytes.subarray(from, to), this.#keptBytes)
    this.#keptBytes = needed
  }

  /**
   * How much to allocate: a packet of ordinary size as a whole, so that it is not copied again as it grows (memory that was
   * only announced is not touched before it comes); a larger one by doubling what has come.
   */
  #roomFor(bytes: Uint8Array, from: number, to: number): number {
    if (this.#keptBytes > 0)
      return Math.max(this.#keptBytes * 2, this.#wholeBytes(this.#kept as Uint8Array, 0, this.#keptBytes))
    return this.#wholeBytes(bytes, from, to)
  }

  /** Length of the packet that begins at `start`, 0 when it is not known or too large to be taken on trust. */
  #wholeBytes(bytes: Uint8Array, start: number, to: number): number {
    if (this.#paused || this.#readHeader(bytes, start, to) !== 'complete') return 0
    const length = this.#end - start
    return length <= Math.min(this.packetBytesMax, TRUSTED_BYTES_MAX) ? length : 0
  }

  #forget(): void {
    this.#kept = undefined
    this.#keptBytes = 0
  }
}
