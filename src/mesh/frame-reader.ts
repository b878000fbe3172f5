import { limits } from '../core/limits.ts'

const LENGTH_BYTES = 4

/**
 * Cuts a byte stream into length-prefixed frames (WIRE.md).
 *
 * A frame that lies whole in one chunk is handed out as a view of it; those split over chunks are copied into memory of their own.
 * Invariant: bytes that were handed out are not written to. Never buffers more than one frame of `limits.peerFrameBytesMax`. After `stop`, or a fault, nothing more is handed out.
 */
export class FrameReader {
  readonly #onFrame: (frame: Uint8Array) => void
  #split: Uint8Array | undefined // the frame being collected, its length prefix included
  #have = 0
  #want = 0
  #stopped = false

  constructor(onFrame: (frame: Uint8Array) => void) {
    this.#onFrame = onFrame
  }

  stop(): void {
    this.#stopped = true
    this.#split = undefined
  }

  /** Takes the next bytes. Returns what is wrong with the stream, or undefined. */
  read(chunk: Uint8Array): string | undefined {
    let at = 0
    while (at < chunk.length && !this.#stopped) {
      if (this.#split !== undefined) {
        at = this.#collect(this.#split, chunk, at)
        if (this.#have < this.#want) return undefined
        const fault = this.#finish(this.#split)
        if (fault !== undefined) return fault
        continue
      }
      if (chunk.length - at < LENGTH_BYTES) {
        this.#begin(LENGTH_BYTES)
        continue
      }
      const length = frameLength(chunk, at)
      if (length > limits.peerFrameBytesMax) return this.#fault(length)
      const end = at + LENGTH_BYTES + length
      if (end > chunk.length) {
        this.#begin(LENGTH_BYTES + length)
        continue
      }
      this.#onFrame(chunk.subarray(at + LENGTH_BYTES, end))
      at = end
    }
    return undefined
  }

  #begin(want: number): void {
    this.#split = Buffer.allocUnsafe(want)
    this.#have = 0
    this.#want = want
  }

  #collect(split: Uint8Array, chunk: Uint8Array, at: number): number {
    const taken = Math.min(this.#want - this.#have, chunk.length - at)
    split.set(chunk.subarray(at, at + taken), this.#have)
    this.#have += taken
    return at + taken
  }

  /** What was wanted is there: either the whole frame, or only its length so far. */
  #finish(split: Uint8Array): string | undefined {
    const length = frameLength(split, 0)
    if (length > limits.peerFrameBytesMax) return this.#fault(length)
    const whole = LENGTH_BYTES + length
    if (this.#want < whole) {
      this.#begin(whole)
      this.#split?.set(split)
      this.#have = LENGTH_BYTES
      return undefined
    }
    this.#split = undefined
    this.#onFrame(split.subarray(LENGTH_BYTES, whole))
    return undefined
  }

  #fault(length: number): string {
    this.stop()
    return `it announced a frame of ${length} bytes, more than the limit of ${limits.peerFrameBytesMax}`
  }
}

function frameLength(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  )
}
