import { limits } from '../core/limits.ts'

const LENGTH_BYTES = 4
const NO_BYTES = new Uint8Array(0)

/** One chunk with its yamux header fits one noise message (65,519 bytes of plaintext). */
const CHUNK_BYTES = 65_504
/** A frame of pieces: large enough that its head costs nothing, small enough that few are split on arrival. */
const PIECES_BYTES_MAX = 16 * 1024
/** A stream that carries little gets chunks of this size; they double from one to the next. */
const FIRST_CHUNK_BYTES = 4_094

/**
 * Outgoing frames of one stream, copied behind their length prefix into chunks that leave as large contiguous writes.
 *
 * A frame of pieces is open until anything else is pushed or `flush` comes: its pieces are gathered, those that lie together in
 * their source as one, and copied late.
 *
 * Hands nothing to the sink between its answer `false` and the next `resume`; what waits meanwhile is bounded by
 * `limits.peerQueueBytesMax`. A chunk handed over is never written to again: the sink may keep a reference.
 */
export class FrameWriter {
  readonly #sink: (bytes: Uint8Array) => boolean
  readonly #onDrain: () => void
  readonly #full: Uint8Array[] = []
  #fullAt = 0
  #tail: Uint8Array = NO_BYTES
  #tailStart = 0
  #tailEnd = 0
  /** Of the open frame of pieces; undefined when there is none. */
  #head: Uint8Array | undefined
  /** Where its length prefix stands in the tail. */
  #frameAt = 0
  /** How far the tail may be filled with it. */
  #frameEndMax = 0
  /** Pieces that are not copied yet. */
  #source: Uint8Array = NO_BYTES
  #sourceStart = 0
  #sourceEnd = 0
  #queuedBytes = 0
  #blocked = false
  #refused = false

  /** `sink` takes bytes and answers false when it wants no more until `resume`. `onDrain` follows a refused `push`. */
  constructor(sink: (bytes: Uint8Array) => boolean, onDrain: () => void) {
    this.#sink = sink
    this.#onDrain = onDrain
  }

  /** Copies the frame into the queue; false when it would be over its limit. */
  push(frame: Uint8Array): boolean {
    const { length } = frame
    if (!this.#admit(length + LENGTH_BYTES)) return false
    this.#closeFrame()
    this.#pushLength(length)
    this.#pushBytes(frame)
    return true
  }

  /**
   * Adds [start, end) of `source` to the open frame if that began with this very `head` and has room, else to a new one. Neither may
   * change before the next `flush`. False when the queue would be over its limit.
   */
  pushPiece(head: Uint8Array, source: Uint8Array, start: number, end: number): boolean {
    const bytes = end - start
    if (
      head === this.#head &&
      this.#tailEnd + this.#sourceEnd - this.#sourceStart + bytes <= this.#frameEndMax
    ) {
      if (!this.#admit(bytes)) return false
      if (source === this.#source && start === this.#sourceEnd) {
        this.#sourceEnd = end
        return true
      }
      this.#copyPieces()
    } else {
      const length = head.length + bytes
      if (!this.#admit(LENGTH_BYTES + length)) return false
      this.#closeFrame()
      if (length > PIECES_BYTES_MAX) {
        this.#pushLength(length)
        this.#pushBytes(head)
        this.#pushBytes(source.subarray(start, end))
        return true
      }
      this.#openFrame(head, length)
    }
    this.#source = source
    this.#sourceStart = start
    this.#sourceEnd = end
    return true
  }

  /** Hands over all that the sink will take. */
  flush(): void {
    this.#closeFrame()
    while (!this.#blocked && this.#fullAt < this.#full.length) {
      this.#hand(this.#full[this.#fullAt++] as Uint8Array)
    }
    if (this.#fullAt === this.#full.length) {
      this.#full.length = this.#fullAt = 0
      if (!this.#blocked && this.#tailEnd > this.#tailStart) {
        const start = this.#tailStart
        this.#tailStart = this.#tailEnd
        this.#hand(this.#tail.subarray(start, this.#tailEnd))
      }
    }
    if (this.#refused && this.#queuedBytes < limits.peerQueueBytesMax / 2) {
      this.#refused = false
      this.#onDrain()
    }
  }

  /** The sink wants more. */
  resume(): void {
    this.#blocked = false
    this.flush()
  }

  #hand(bytes: Uint8Array): void {
    this.#queuedBytes -= bytes.length
    this.#blocked = true // a `resume` from within the sink counts
    if (this.#sink(bytes)) this.#blocked = false
  }

  #admit(bytes: number): boolean {
    if (this.#queuedBytes + bytes > limits.peerQueueBytesMax) {
      this.#refused = true
      return false
    }
    this.#queuedBytes += bytes
    return true
  }

  /** A frame of pieces lies whole in one chunk, so that few are split on arrival. */
  #openFrame(head: Uint8Array, length: number): void {
    if (this.#tail.length - this.#tailEnd < LENGTH_BYTES + length) this.#grow(LENGTH_BYTES + length)
    const at = (this.#frameAt = this.#tailEnd)
    this.#head = head
    this.#tail.set(head, at + LENGTH_BYTES)
    this.#tailEnd = at + LENGTH_BYTES + head.length
    this.#frameEndMax = Math.min(this.#tail.length, at + LENGTH_BYTES + PIECES_BYTES_MAX)
  }

  #closeFrame(): void {
    if (this.#head === undefined) return
    this.#copyPieces()
    writeLength(this.#tail, this.#frameAt, this.#tailEnd - this.#frameAt - LENGTH_BYTES)
    this.#head = undefined
  }

  #copyPieces(): void {
    const [start, end] = [this.#sourceStart, this.#sourceEnd]
    if (end > start) this.#tail.set(this.#source.subarray(start, end), this.#tailEnd)
    this.#tailEnd += end - start
    this.#source = NO_BYTES
    this.#sourceStart = this.#sourceEnd = 0
  }

  #pushLength(length: number): void {
    if (this.#tail.length - this.#tailEnd < LENGTH_BYTES) this.#grow(LENGTH_BYTES)
    writeLength(this.#tail, this.#tailEnd, length)
    this.#tailEnd += LENGTH_BYTES
  }

  #pushBytes(bytes: Uint8Array): void {
    if (bytes.length <= this.#tail.length - this.#tailEnd) {
      this.#tail.set(bytes, this.#tailEnd)
      this.#tailEnd += bytes.length
      return
    }
    for (let at = 0; at < bytes.length;) {
      if (this.#tailEnd === this.#tail.length) this.#grow(1)
      const taken = Math.min(this.#tail.length - this.#tailEnd, bytes.length - at)
      this.#tail.set(bytes.subarray(at, at + taken), this.#tailEnd)
      this.#tailEnd += taken
      at += taken
    }
  }

  #grow(bytesMin: number): void {
    if (this.#tailEnd > this.#tailStart) this.#full.push(this.#tail.subarray(this.#tailStart, this.#tailEnd))
    const bytes = Math.min(CHUNK_BYTES, Math.max(FIRST_CHUNK_BYTES, this.#tail.length * 2, bytesMin))
    this.#tail = Buffer.allocUnsafeSlow(bytes)
    this.#tailStart = this.#tailEnd = 0
  }
}

function writeLength(bytes: Uint8Array, at: number, length: number): void {
  bytes[at] = length >>> 24
  bytes[at + 1] = length >>> 16
  bytes[at + 2] = length >>> 8
  bytes[at + 3] = length
}
