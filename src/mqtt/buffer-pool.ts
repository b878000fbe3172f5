/**
 * Output buffers, lent to connections only while they have something to send, so that an idle client holds none.
 *
 * Three sizes; what is larger is allocated for the occasion and left to the garbage collector. Each size keeps at most a
 * bounded number of free buffers.
 */
const SIZES_BYTES = [1024, 8 * 1024, 64 * 1024] as const
const FREE_BYTES_MAX = 16 * 1024 * 1024

export class BufferPool {
  readonly #free: Buffer[][] = SIZES_BYTES.map(() => [])

  /** A buffer of at least `byteCount`; its content is arbitrary. */
  take(byteCount: number): Buffer {
    for (let i = 0; i < SIZES_BYTES.length; i++) {
      const size = SIZES_BYTES[i] as number
      if (byteCount <= size) return this.#free[i]?.pop() ?? Buffer.allocUnsafeSlow(size)
    }
    return Buffer.allocUnsafeSlow(byteCount)
  }

  /** Gives back a buffer nobody refers to any more. */
  release(buffer: Buffer): void {
    const i = SIZES_BYTES.indexOf(buffer.length)
    const free = this.#free[i]
    if (free !== undefined && free.length * buffer.length < FREE_BYTES_MAX) free.push(buffer)
  }
}
