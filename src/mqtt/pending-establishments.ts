/**
 * Sessions whose CONNACK waits until the journal has what it promises.
 *
 * Invariant: an establishment is finished once or cancelled, and there is at most one for a client id.
 */
import type { ClientId } from '../core/ids.ts'
import type { SessionJournal } from '../core/ports/session-journal.ts'
import type { ConnectRequest } from './connect-request.ts'
import type { Session } from './session.ts'

export interface PendingEstablishment {
  /** Of the journal; 0: there is nothing to wait for. */
  readonly sequence: number
  readonly request: ConnectRequest
  readonly session: Session
  readonly sessionPresent: boolean
}

export class PendingEstablishments {
  readonly #journal: Pick<SessionJournal, 'committed'>
  readonly #finish: (establishment: PendingEstablishment) => void
  #pending: PendingEstablishment[] = []

  constructor(
    journal: Pick<SessionJournal, 'committed'>,
    finish: (establishment: PendingEstablishment) => void,
  ) {
    this.#journal = journal
    this.#finish = finish
  }

  /** Finishes it now or later. */
  add(establishment: PendingEstablishment): void {
    if (establishment.sequence <= this.#journal.committed) this.#finish(establishment)
    else this.#pending.push(establishment)
  }

  onCommitted(): void {
    if (this.#pending.length === 0) return
    const { committed } = this.#journal
    const ready = this.#pending.filter(({ sequence }) => sequence <= committed)
    this.#pending = this.#pending.filter(({ sequence }) => sequence > committed)
    for (const establishment of ready) this.#finish(establishment)
  }

  /** A later CONNECT, or another node, got the session before its CONNACK left. Answers that session, if it waited here. */
  cancel(clientId: ClientId): Session | undefined {
    const index = this.#pending.findIndex(({ request }) => request.clientId === clientId)
    if (index === -1) return undefined
    const [cancelled] = this.#pending.splice(index, 1)
    cancelled?.request.connection.abort('a later CONNECT with the same client id came')
    return cancelled?.session
  }
}
