import { limits } from '../core/limits.ts'

const LENGTH_BYTES = 4

/** One chunk with its yamux header fits one noise message (65,519 bytes of plaintext). */
const CHUNK_BYTES = 65_504
/** A stream that carries little gets chunks of this size; they double from one to the next. */
const FIRST_CHUNK_BYTES = 4_094

/**
 * Outgoing frames of one stream, copied behind their length prefix into chunks that leave as large contiguous writes.
 *
 * Hands nothing to the sink between its answer `false` and the next `resume`; what waits meanwhile is bounded by
 * `limits.peerQueueBytesMax`. A chunk handed over is never written to again: the sink may keep a reference.
 */
export class FrameWriter {
  readonly #sink: (bytes: Uint8Array) => boolean
  readonly #onDrain: () => void
  readonly #full: Uint8Array[] = []
  #fullAt = 0
  #tail = new Uint8Array(0)
  #tailStart = 0
  #tailEnd = 0
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
    const length = frame.length
    if (this.#queuedBytes + length + LENGTH_BYTES > limits.peerQueueBytesMax) {
      this.#refused = true
      return false
    }
    if (this.#tail.length - this.#tailEnd < LENGTH_BYTES) this.#grow()
    const tail = this.#tail
    const at = this.#tailEnd
    tail[at] = length >>> 24
    tail[at + 1] = length >>> 16
    tail[at + 2] = length >>> 8
    tail[at + 3] = length
    this.#tailEnd = at + LENGTH_BYTES
    this.#queuedBytes += length + LENGTH_BYTES
    if (length <= tail.length - this.#tailEnd) {
      tail.set(frame, this.#tailEnd)
      this.#tailEnd += length
    } else {
      this.#pushSplit(frame)
    }
    return true
  }

  /** Hands over all that the sink will take. */
  flush(): void {
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

  #grow(): void {
    if (this.#tailEnd > this.#tailStart) this.#full.push(this.#tail.subarray(this.#tailStart, this.#tailEnd))
    this.#tail = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(FIRST_CHUNK_BYTES, this.#tail.length * 2)))
    this.#tailStart = this.#tailEnd = 0
  }

  #pushSplit(frame: Uint8Array): void {
    for (let at = 0; at < frame.length;) {
      if (this.#tailEnd === this.#tail.length) this.#grow()
      const taken = Math.min(this.#tail.length - this.#tailEnd, frame.length - at)
      this.#tail.set(frame.subarray(at, at + taken), this.#tailEnd)
      this.#tailEnd += taken
      at += taken
    }
  }
}
