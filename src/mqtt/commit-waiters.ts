import type { Clock } from '../core/ports/clock.ts'
import type { SessionJournal } from '../core/ports/session-journal.ts'

/** Calls back when the journal has committed as far as it must; never inside the call that asked. */
export class CommitWaiters {
  readonly #journal: Pick<SessionJournal, 'appended' | 'committed'>
  readonly #clock: Clock
  #waiting: { readonly sequence: number; readonly done: () => void }[] = []

  constructor(journal: Pick<SessionJournal, 'appended' | 'committed' | 'onCommitted'>, clock: Clock) {
    this.#journal = journal
    this.#clock = clock
    journal.onCommitted(upTo => this.#onCommitted(upTo))
  }

  /** With everything that was changed up to now. */
  whenCommitted(done: () => void): void {
    const sequence = this.#journal.appended
    if (sequence <= this.#journal.committed) this.#clock.defer(done)
    else this.#waiting.push({ sequence, done })
  }

  #onCommitted(upTo: number): void {
    const ready = this.#waiting.filter(({ sequence }) => sequence <= upTo)
    if (ready.length === 0) return
    this.#waiting = this.#waiting.filter(({ sequence }) => sequence > upTo)
    for (const { done } of ready) done()
  }
}
