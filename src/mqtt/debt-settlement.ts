import type { Acceptance } from '../core/ports/routing.ts'
import type { Session } from './session.ts'

/** Until the debts that came with a session are accepted, or in an outbox here, it does not move on: they would be left behind. */
export class DebtSettlement implements Acceptance {
  readonly #session: Session
  #outstanding = 1

  constructor(session: Session) {
    this.#session = session
    session.publications.awaitSettlement(this)
  }

  expect(): void {
    this.#outstanding++
  }

  settle(): void {
    if (--this.#outstanding === 0) this.#session.publications.settled(this)
  }

  /** A session that moves waits for the journal anyway. */
  requireCommitted(): void {}
}
