import type { LocalIndex } from '../src/core/ports/routing.ts'
import type { SessionJournal } from '../src/core/ports/session-journal.ts'
import type { Publication } from '../src/core/publication.ts'

/** Hands publications to the matching sessions of this node. */
export class LocalRouter {
  readonly #index: Pick<LocalIndex, 'match' | 'matchShared'>
  readonly #journal: Pick<SessionJournal, 'appended'>

  constructor(index: Pick<LocalIndex, 'match' | 'matchShared'>, journal: Pick<SessionJournal, 'appended'>) {
    this.#index = index
    this.#journal = journal
  }

  /** Returns the journal sequence that must be committed before the publication is acknowledged; 0 = none. */
  deliver(publication: Publication): number {
    const before = this.#journal.appended
    const { publisher, topic } = publication
    const matches = this.#index.match(topic)
    for (let i = 0; i < matches.length; i++) {
      const match = matches[i] as (typeof matches)[number]
      // No Local [MQTT-3.8.3-3].
      if (match.noLocal && publisher !== '' && match.subscriber.clientId === publisher) continue
      match.subscriber.deliver(publication, match)
    }
    const groups = this.#index.matchShared(topic)
    for (let i = 0; i < groups.length; i++) {
      const member = groups[i]?.next()
      member?.subscriber.deliver(publication, member)
    }
    const after = this.#journal.appended
    return after > before ? after : 0
  }
}
