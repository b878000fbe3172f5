/** Lets so many in at once; the others wait in order of arrival, up to a bound. */
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

  /** False: too many wait already. True: let in; `leave` is owed. */
  async enter(): Promise<boolean> {
    if (this.#inside < this.#insideMax) {
      this.#inside++
      return true
    }
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
