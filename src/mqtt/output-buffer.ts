import type { ByteStream } from '../core/ports/byte-stream.ts'
import type { BufferPool } from './buffer-pool.ts'

/** Written in one go; beyond it the connection flushes before the end of the tick. */
export const OUTPUT_CHUNK_BYTES = 64 * 1024

/**
 * What one connection sends this tick, gathered in one pooled buffer.
 *
 * `guarded` says that it holds something a suspended node may not send (PROTOCOLS section 2.1); the connection checks
 * before it flushes.
 */
export class OutputBuffer {
  guarded = false
  #buffer: Buffer | undefined
  #length = 0
  readonly #pool: BufferPool

  constructor(pool: BufferPool) {
    this.#pool = pool
  }

  get length(): number {
    return this.#length
  }

  append(bytes: Uint8Array): void {
    const at = this.#length
    this.reserve(bytes.length).set(bytes, at)
  }

  /** Makes room for `byteCount` more at the old `length`, and counts them as written. */
  reserve(byteCount: number): Buffer {
    const needed = this.#length + byteCount
    let buffer = this.#buffer
    if (buffer === undefined) {
      buffer = this.#buffer = this.#pool.take(needed)
    } else if (buffer.length < needed) {
      const larger = this.#pool.take(Math.max(needed, buffer.length * 2))
      larger.set(buffer.subarray(0, this.#length))
      this.#pool.release(buffer)
      buffer = this.#buffer = larger
    }
    this.#length = needed
    return buffer
  }

  /** Hands everything to the stream. */
  flushTo(stream: ByteStream): void {
    const buffer = this.#buffer
    if (buffer === undefined) return
    stream.write(buffer.subarray(0, this.#length))
    if (stream.pendingBytes === 0) this.#pool.release(buffer)
    this.#buffer = undefined
    this.#length = 0
    this.guarded = false
  }

  discard(): void {
    if (this.#buffer !== undefined) this.#pool.release(this.#buffer)
    this.#buffer = undefined
    this.#length = 0
    this.guarded = false
  }
}
