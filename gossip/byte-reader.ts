const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads what `ByteWriter` wrote, from a peer that may lie. Nothing throws: reading past the end, or a text that is not
 * UTF-8, sets `failed` for good and yields zeros and empty texts; callers look at it once, at the end.
 */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0
  #failed = false

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Whether anything read so far was not there or not valid. */
  get failed(): boolean {
    return this.#failed
  }

  get remaining(): number {
    return this.#bytes.length - this.#at
  }

  uint8(): number {
    return this.#take(1) ? (this.#bytes[this.#at - 1] as number) : 0
  }

  uint16(): number {
    return this.#take(2) ? this.#view.getUint16(this.#at - 2) : 0
  }

  uint32(): number {
    return this.#take(4) ? this.#view.getUint32(this.#at - 4) : 0
  }

  /** Fails above the safe integers. */
  uint64(): number {
    if (!this.#take(8)) return 0
    const value = this.#view.getUint32(this.#at - 8) * 2 ** 32 + this.#view.getUint32(this.#at - 4)
    if (!Number.isSafeInteger(value)) this.#failed = true
    return value
  }

  shortText(): string {
    return this.#text(this.uint8())
  }

  text(): string {
    return this.#text(this.uint16())
  }

  /** The next `count` bytes, not copied; none when they are not there. */
  raw(count: number): Uint8Array {
    return this.#take(count) ? this.#bytes.subarray(this.#at - count, this.#at) : new Uint8Array(0)
  }

  #text(length: number): string {
    if (!this.#take(length)) return ''
    const start = this.#at - length
    try {
      return decoder.decode(this.#bytes.subarray(start, this.#at))
    } catch {
      this.#failed = true
      return ''
    }
  }

  #take(count: number): boolean {
    if (this.#failed || this.remaining < count) {
      this.#failed = true
      return false
    }
    this.#at += count
    return true
  }
}
