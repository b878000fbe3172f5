import type { LocalMatch } from '../core/ports/routing.ts'
import type { Publication } from '../core/publication.ts'
import type { Session } from './session.ts'

/**
 * Retained messages on their way to one connection, handed over as fast as the client takes them, so that a wildcard
 * subscription neither overruns the client nor fills its session's queue. What is left when the connection ends is dropped:
 * retained messages are for those who are there.
 */
export class RetainedDelivery {
  readonly #session: Session
  #pending: { readonly messages: readonly Publication[]; readonly match: LocalMatch; next: number }[] = []

  constructor(session: Session) {
    this.#session = session
  }

  get isDone(): boolean {
    return this.#pending.length === 0
  }

  add(messages: readonly Publication[], match: LocalMatch): void {
    if (messages.length > 0) this.#pending.push({ messages, match, next: 0 })
    this.pump()
  }

  /** Hands over what the client takes now. To be called again when it may take more. */
  pump(): void {
    for (let current = this.#pending[0]; current !== undefined; current = this.#pending[0]) {
      for (; current.next < current.messages.length; current.next++) {
        if (!this.#session.canTakeRetained) return
        this.#session.deliverRetained(current.messages[current.next] as Publication, current.match)
      }
      this.#pending.shift()
    }
  }
}
