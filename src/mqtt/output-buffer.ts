import type { ByteStream } from '../core/ports/byte-stream.ts'
import type { BufferPool } from './buffer-pool.ts'

/** Written in one go; beyond it the connection flushes before the end of the tick. */
export const OUTPUT_CHUNK_BYTES = 64 * 1024

/** A run of at least this part of its source is sent from there: a slow client holds on to the whole source. */
const DIRECT_PART = 4
/** Behind other bytes a shorter run is copied: that costs less than a write of its own. */
const DIRECT_BYTES_MIN = 16 * 1024

/**
 * What one connection sends this tick: bytes gathered in one pooled buffer, and at their end at most one run of bytes that
 * lie together elsewhere, as consecutive packets of one network chunk do. A run costs nothing per packet; it is copied only
 * when something else follows it.
 *
 * `guarded` says that it holds something a suspended node may not send (PROTOCOLS section 2.1); the connection checks
 * before it flushes.
 */
export class OutputBuffer {
  guarded = false
  #buffer: Buffer | undefined
  #bufferLength = 0
  #runSource: Uint8Array | undefined
  #runStart = 0
  #runEnd = 0
  /** Buffers the stream has not finished with. */
  #lent: Buffer[] | undefined
  readonly #pool: BufferPool

  constructor(pool: BufferPool) {
    this.#pool = pool
  }

  get length(): number {
    return this.#bufferLength + this.#runEnd - this.#runStart
  }

  append(bytes: Uint8Array): void {
    const at = this.length
    this.reserve(bytes.length).set(bytes, at)
  }

  /** Appends [start, end) of `source`, which must not change. */
  appendRun(source: Uint8Array, start: number, end: number): void {
    if (source === this.#runSource && start === this.#runEnd) {
      this.#runEnd = end
      return
    }
    if (this.#runSource !== undefined) this.#copyRun()
    this.#runSource = source
    this.#runStart = start
    this.#runEnd = end
  }

  /** Makes room for `byteCount` more at the old `length`, and counts them as written. */
  reserve(byteCount: number): Buffer {
    if (this.#runSource !== undefined) this.#copyRun()
    const needed = this.#bufferLength + byteCount
    let buffer = this.#buffer
    if (buffer === undefined) {
      buffer = this.#buffer = this.#pool.take(needed)
    } else if (buffer.length < needed) {
      const larger = this.#pool.take(Math.max(needed, buffer.length * 2))
      larger.set(buffer.subarray(0, this.#bufferLength))
      this.#pool.release(buffer)
      buffer = this.#buffer = larger
    }
    this.#bufferLength = needed
    return buffer
  }

  /** Hands everything to the stream. */
  flushTo(stream: ByteStream): void {
    if (this.#lent !== undefined && stream.pendingBytes === 0) {
      for (const buffer of this.#lent) this.#pool.release(buffer)
      this.#lent = undefined
    }
    const run = this.#runSource
    let direct: Uint8Array | undefined
    if (run !== undefined) {
      const runBytes = this.#runEnd - this.#runStart
      const isWorthIt = runBytes >= DIRECT_BYTES_MIN || this.#bufferLength === 0
      if (isWorthIt && runBytes * DIRECT_PART >= run.length)
        direct = run.subarray(this.#runStart, this.#runEnd)
      else this.#copyRun()
    }
    const buffer = this.#buffer
    if (buffer !== undefined) {
      stream.write(buffer.subarray(0, this.#bufferLength))
      if (stream.pendingBytes === 0) this.#pool.release(buffer)
      else (this.#lent ??= []).push(buffer)
    }
    if (direct !== undefined) stream.write(direct)
    this.#forget()
  }

  discard(): void {
    if (this.#buffer !== undefined) this.#pool.release(this.#buffer)
    this.#forget()
  }

  #copyRun(): void {
    const source = this.#runSource as Uint8Array
    const [start, end, at] = [this.#runStart, this.#runEnd, this.#bufferLength]
    this.#runSource = undefined
    this.#runStart = this.#runEnd = 0
    this.reserve(end - start).set(source.subarray(start, end), at)
  }

  #forget(): void {
    this.#buffer = undefined
    this.#bufferLength = 0
    this.#runSource = undefined
    this.#runStart = this.#runEnd = 0
    this.guarded = false
  }
}
