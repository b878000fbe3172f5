import type { LocalIndex } from '../src/core/ports/routing.ts'
import type { SessionJournal } from '../src/core/ports/session-journal.ts'
import type { Publication } from '../src/core/publication.ts'

/** Hands publications to the matching sessions of this node. */
export class LocalRouter {
  readonly #index: Pick<LocalIndex, 'match'>
  readonly #journal: Pick<SessionJournal, 'appended'>

  constructor(index: Pick<LocalIndex, 'match'>, journal: Pick<SessionJournal, 'appended'>) {
    this.#index = index
    this.#journal = journal
  }

  /** Returns the journal sequence that must be committed before the publication is acknowledged; 0 = none. */
  deliver(publication: Publication): number {
    const before = this.#journal.appended
    const subscriptions = this.#index.match(publication.topic)
    const { publisher } = publication
    for (let i = 0; i < subscriptions.length; i++) {
      const subscription = subscriptions[i] as (typeof subscriptions)[number]
      // No Local [MQTT-3.8.3-3].
      if (subscription.noLocal && publisher !== '' && subscription.subscriber.clientId === publisher) continue
      subscription.subscriber.deliver(publication, subscription)
    }
    const after = this.#journal.appended
    return after > before ? after : 0
  }
}
