/**
 * Listings of a node's sessions, page by page, for operators.
 *
 * A listing is an iterator over the live sessions that is kept between pages: a page costs what it shows, however many
 * sessions there are, and nothing is sorted or copied. Bounds: a page looks at a bounded number of sessions, so it may be
 * short; of the listings not finished only the latest are kept.
 */
import type { ClientId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import type { LocalSession, SessionPage, SessionQuery } from '../core/ports/node-control.ts'
import type { Random } from '../core/ports/random.ts'

/** The sessions to list. */
export interface ListableSessions {
  /** Live: goes on where it stopped, with what is there by then. */
  held(): Iterator<{ readonly clientId: ClientId; readonly isConnected: boolean }, unknown>
  describe(clientId: ClientId): LocalSession | undefined
}

interface Listing {
  readonly query: SessionQuery
  readonly sessions: Iterator<{ readonly clientId: ClientId; readonly isConnected: boolean }, unknown>
}

const NAME_BYTES = 12

export class SessionListings {
  readonly #source: ListableSessions
  readonly #random: Random
  /** By the name of their next page, the oldest first. */
  readonly #open = new Map<string, Listing>()

  constructor(source: ListableSessions, random: Random) {
    this.#source = source
    this.#random = random
  }

  first(query: SessionQuery): SessionPage {
    return this.#page({ query, sessions: this.#source.held() })
  }

  /** Undefined when the name is unknown: used before, or pushed out by later listings. */
  more(next: string): SessionPage | undefined {
    const listing = this.#open.get(next)
    this.#open.delete(next)
    return listing && this.#page(listing)
  }

  #page(listing: Listing): SessionPage {
    const { query, sessions } = listing
    const found: LocalSession[] = []
    for (let looked = 0; looked < limits.sessionsLookedAtPerPageMax; looked++) {
      if (found.length >= query.limit) break
      const next = sessions.next()
      if (next.done === true) return { sessions: found, next: undefined }
      const { clientId, isConnected } = next.value
      if (query.connected !== undefined && query.connected !== isConnected) continue
      if (!clientId.startsWith(query.prefix)) continue
      const session = this.#source.describe(clientId)
      if (session !== undefined) found.push(session)
    }
    return { sessions: found, next: this.#keep(listing) }
  }

  #keep(listing: Listing): string {
    const name = Array.from(this.#random.bytes(NAME_BYTES), byte => byte.toString(16).padStart(2, '0')).join(
      '',
    )
    this.#open.set(name, listing)
    const [oldest] = this.#open.keys()
    if (this.#open.size > limits.sessionListingsOpenMax && oldest !== undefined) this.#open.delete(oldest)
    return name
  }
}
