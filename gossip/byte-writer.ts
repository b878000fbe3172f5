const FIRST_BYTES = 1024
/** UTF-8 needs at most this many bytes per UTF-16 unit. */
const UTF8_BYTES_PER_UNIT = 3

const encoder = new TextEncoder()

/** Big-endian fields and length-prefixed strings in a buffer that grows as needed. */
export class ByteWriter {
  #bytes = new Uint8Array(FIRST_BYTES)
  #view = new DataView(this.#bytes.buffer)
  #length = 0

  get length(): number {
    return this.#length
  }

  uint8(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  uint16(value: number): void {
    this.#reserve(2)
    this.#view.setUint16(this.#length, value)
    this.#length += 2
  }

  /** Signed or unsigned: the low 32 bits. */
  uint32(value: number): void {
    this.#reserve(4)
    this.#view.setUint32(this.#length, value)
    this.#length += 4
  }

  /** A safe integer ≥ 0, in 8 bytes. */
  uint64(value: number): void {
    this.#reserve(8)
    this.#view.setUint32(this.#length, Math.floor(value / 2 ** 32))
    this.#view.setUint32(this.#length + 4, value % 2 ** 32)
    this.#length += 8
  }

  /** UTF-8 behind its length in one byte. */
  shortText(text: string): void {
    this.#reserve(1 + text.length * UTF8_BYTES_PER_UNIT)
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(this.#length + 1))
    if (written > 0xff) throw new Error(`text of ${written} bytes, at most 255 fit`)
    this.#bytes[this.#length] = written
    this.#length += 1 + written
  }

  /** UTF-8 behind its length in two bytes. */
  text(text: string): void {
    this.#reserve(2 + text.length * UTF8_BYTES_PER_UNIT)
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(this.#length + 2))
    if (written > 0xffff) throw new Error(`text of ${written} bytes, at most 65535 fit`)
    this.#view.setUint16(this.#length, written)
    this.#length += 2 + written
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** Overwrites four bytes written before. */
  patchUint32(at: number, value: number): void {
    this.#view.setUint32(at, value)
  }

  /** Forgets what was written after `length`. */
  truncate(length: number): void {
    this.#length = length
  }

  /** What was written; valid until the next write. */
  bytes(from = 0): Uint8Array {
    return this.#bytes.subarray(from, this.#length)
  }

  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    larger.set(this.#bytes)
    this.#bytes = larger
    this.#view = new DataView(larger.buffer)
  }
}
