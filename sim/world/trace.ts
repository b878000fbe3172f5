/**
 * What happened in a simulation, in order: a hash over everything, and lines a person can read.
 *
 * Invariant: two runs of one seed write the same trace, so their hashes are equal; whoever brings reality in makes them
 * differ. Lines are kept only when asked for, since a run has millions.
 */
export class Trace {
  readonly #now: () => number
  readonly #keepsDetails: boolean
  readonly lines: string[] = []
  #high = 0xdeadbeef
  #low = 0x41c6ce57
  #events = 0

  constructor(now: () => number, keepsDetails = false) {
    this.#now = now
    this.#keepsDetails = keepsDetails
  }

  /** Something a reader of the timeline wants to see. */
  note(who: string, what: string): void {
    const line = `${(this.#now() / 1000).toFixed(3).padStart(9)}  ${who.padEnd(10)} ${what}`
    this.#mix(line)
    this.lines.push(line)
  }

  /** One of the many: always in the hash, in the timeline only when details are kept. */
  detail(who: string, what: string): void {
    if (this.#keepsDetails) {
      this.note(who, what)
      return
    }
    const line = `${(this.#now() / 1000).toFixed(3).padStart(9)}  ${who.padEnd(10)} ${what}`
    this.#mix(line)
  }

  /** Bytes on their way, in the hash only. */
  bytes(bytes: Uint8Array): void {
    let high = this.#high ^ bytes.length
    let low = this.#low
    for (let i = 0; i < bytes.length; i++) {
      high = Math.imul(high ^ (bytes[i] as number), 2654435761)
      low = Math.imul(low ^ (bytes[i] as number), 1597334677)
    }
    this.#high = high
    this.#low = low
    this.#events++
  }

  get events(): number {
    return this.#events
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return [this.#high, this.#low].map(part => (part >>> 0).toString(16).padStart(8, '0')).join('')
  }

  #mix(text: string): void {
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      this.#high = Math.imul(this.#high ^ code, 2654435761)
      this.#low = Math.imul(this.#low ^ code, 1597334677)
    }
    this.#high ^= this.#low >>> 15
    this.#events++
  }
}
