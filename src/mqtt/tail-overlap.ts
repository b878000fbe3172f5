/**
 * Of which ingress's publications, by topic, something has come to a session's new owner directly and waits behind a tail.
 *
 * What was published after it has its place behind it, though it comes in the tail: the numbers in the ids say what was. Of
 * another topic nothing follows, since a route to the new owner may have been there for somebody else's sake. It keeps hashes, no
 * topics. Invariant: what `isBehind` answers true for was published after something that waits.
 */
import { TopicHasher } from '../core/interest-hash.ts'
import { RESERVED_FROM, type Publication } from '../core/publication.ts'
import type { QueuedMessage } from './delivery-queue.ts'

export class TailOverlap {
  readonly #hasher = new TopicHasher('')
  /** Lowest number, by ingress and topic. */
  readonly #first = new Map<string, number>()

  /** `waiting`: what waits behind the tail. */
  constructor(waiting: Iterable<QueuedMessage>) {
    for (const { publication } of waiting) {
      const number = numberOf(publication)
      if (publication === undefined || number === undefined) continue
      const stream = this.#streamOf(publication)
      this.#first.set(stream, Math.min(number, this.#first.get(stream) ?? Infinity))
    }
  }

  isBehind(publication: Publication): boolean {
    const number = this.#first.size === 0 ? undefined : numberOf(publication)
    return number !== undefined && number > (this.#first.get(this.#streamOf(publication)) ?? Infinity)
  }

  #streamOf({ id, topic }: Publication): string {
    this.#hasher.hash(topic)
    return `${id?.incarnation} ${this.#hasher.low} ${this.#hasher.high}`
  }
}

function numberOf(publication: Publication | undefined): number | undefined {
  const number = publication?.id?.number
  return number === undefined || number >= RESERVED_FROM ? undefined : number
}
