/** What became of one publisher's messages at the subscribers. */
export interface DeliveryTotals {
  delivered: number
  lost: number
  /** Copies that came again or out of order. */
  duplicated: number
}

/** Counts deliveries of one run. */
export interface Ledger {
  /** First deliveries so far. */
  readonly delivered: number
  /** Deliveries of this publisher's messages that are no longer awaited: what a closed loop waits for. */
  settled(publisher: number): number
  deliver(subscriber: number, publisher: number, sequence: number): void
  /** The account of a finished run in which the publishes together called for `awaited` deliveries. */
  totals(awaited: number): DeliveryTotals
}

/**
 * Accounts for every (subscriber, publisher) pair by sequence numbers, in constant memory: MQTT keeps the order of
 * one publisher's messages to one subscriber, so a sequence above the next expected one means that those between
 * were dropped (settled, but not delivered), and one below it is a duplicate.
 */
export class SequenceLedger implements Ledger {
  readonly #publishers: number
  readonly #next: Uint32Array
  readonly #settled: Float64Array
  #delivered = 0
  #duplicated = 0

  constructor(publishers: number, subscribers: number) {
    this.#publishers = publishers
    this.#next = new Uint32Array(publishers * subscribers)
    this.#settled = new Float64Array(publishers)
  }

  get delivered(): number {
    return this.#delivered
  }

  settled(publisher: number): number {
    return this.#settled[publisher] ?? 0
  }

  deliver(subscriber: number, publisher: number, sequence: number): void {
    const pair = subscriber * this.#publishers + publisher
    const expected = this.#next[pair] ?? 0
    if (sequence < expected) {
      this.#duplicated++
      return
    }
    this.#next[pair] = sequence + 1
    this.#settled[publisher] = (this.#settled[publisher] ?? 0) + (sequence - expected + 1)
    this.#delivered++
  }

  /** `awaited`: deliveries that all publishes together called for, once nothing more is coming. */
  totals(awaited: number): DeliveryTotals {
    return { delivered: this.#delivered, lost: awaited - this.#delivered, duplicated: this.#duplicated }
  }
}

/**
 * The same for a shared subscription, where each message goes to one member only and members see gaps by design: one
 * bit per message tells first deliveries from duplicates.
 */
export class SharedLedger implements Ledger {
  readonly #seen: Uint8Array[]
  readonly #settled: Float64Array
  #delivered = 0
  #duplicated = 0

  constructor(publishers: number) {
    this.#seen = Array.from({ length: publishers }, () => new Uint8Array(64 * 1024))
    this.#settled = new Float64Array(publishers)
  }

  get delivered(): number {
    return this.#delivered
  }

  settled(publisher: number): number {
    return this.#settled[publisher] ?? 0
  }

  deliver(_subscriber: number, publisher: number, sequence: number): void {
    const byte = sequence >>> 3
    const bit = 1 << (sequence & 7)
    let seen = this.#seen[publisher]
    if (seen === undefined) throw new Error(`no publisher ${publisher} in this run`)
    if (byte >= seen.length) {
      const larger = new Uint8Array(Math.max(seen.length * 2, byte + 1))
      larger.set(seen)
      this.#seen[publisher] = seen = larger
    }
    if (((seen[byte] ?? 0) & bit) !== 0) {
      this.#duplicated++
      return
    }
    seen[byte] = (seen[byte] ?? 0) | bit
    this.#delivered++
    this.#settled[publisher] = (this.#settled[publisher] ?? 0) + 1
  }

  totals(awaited: number): DeliveryTotals {
    return { delivered: this.#delivered, lost: awaited - this.#delivered, duplicated: this.#duplicated }
  }
}
