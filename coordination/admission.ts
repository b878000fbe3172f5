/** Lets so many in at once; the others wait in order of arrival, up to a bound. There is no room while any wait. */
export class Admission {
  readonly #insideMax: number
  readonly #waitingMax: number
  readonly #waiting: (() => void)[] = []
  #first = 0
  #inside = 0

  constructor(insideMax: number, waitingMax: number) {
    this.#insideMax = insideMax
    this.#waitingMax = waitingMax
  }

  /** Whether there is room, in which case `leave` is owed; where there is none, `wait`. */
  tryEnter(): boolean {
    if (this.#inside >= this.#insideMax) return false
    this.#inside++
    return true
  }

  /** True: let in; `leave` is owed. False: too many wait already. */
  async wait(): Promise<boolean> {
    if (this.#waiting.length - this.#first >= this.#waitingMax) return false
    await new Promise<void>(resolve => {
      this.#waiting.push(resolve)
    })
    return true
  }

  leave(): void {
    const next = this.#waiting[this.#first]
    if (next === undefined) {
      this.#inside--
      return
    }
    // The place is handed over; the queue's head moves, and its spent half is dropped now and then.
    this.#first++
    if (this.#first * 2 > this.#waiting.length) {
      this.#waiting.splice(0, this.#first)
      this.#first = 0
    }
    next()
  }
}
