import type { VirtualClock } from '../ports/virtual-clock.ts'
import type { NetworkConditions, Site } from './network-conditions.ts'

interface Item {
  readonly readyMs: number
  readonly deliver: () => void
}

/**
 * One direction of a connection: what is pushed comes out in order, after the network's delay, and waits while the direction
 * is blocked. Nothing is lost but by `close`, which drops what has not come out.
 */
export class Pipe {
  readonly #clock: VirtualClock
  readonly #conditions: NetworkConditions
  readonly #from: Site
  readonly #to: Site
  readonly #forget: () => void
  #items: Item[] = []
  #lastReadyMs = 0
  #isPumping = false
  #isClosed = false

  constructor(clock: VirtualClock, conditions: NetworkConditions, from: Site, to: Site) {
    this.#clock = clock
    this.#conditions = conditions
    this.#from = from
    this.#to = to
    this.#forget = conditions.onChanged(() => this.#pump())
  }

  push(bytes: number, deliver: () => void): void {
    if (this.#isClosed) return
    const delayMs = this.#conditions.delayMs(this.#from, this.#to, bytes)
    this.#lastReadyMs = Math.max(this.#lastReadyMs, this.#clock.now() + delayMs)
    this.#items.push({ readyMs: this.#lastReadyMs, deliver })
    this.#pump()
  }

  close(): void {
    this.#isClosed = true
    this.#items = []
    this.#forget()
  }

  /** Sets a timer for the first item, unless it has to wait for the network. */
  #pump(): void {
    const first = this.#items[0]
    if (first === undefined || this.#isPumping || this.#conditions.isBlocked(this.#from, this.#to)) return
    this.#isPumping = true
    this.#clock.schedule(Math.max(0, first.readyMs - this.#clock.now()), () => {
      this.#isPumping = false
      if (this.#isClosed || this.#conditions.isBlocked(this.#from, this.#to)) return
      this.#items.shift()?.deliver()
      this.#pump()
    })
  }
}
