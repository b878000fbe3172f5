/**
 * The number by which a publication's node and member are chosen in every shared subscription it matches, as the strategy has it.
 *
 * It knows neither nodes nor members. Invariant: with the strategies `sticky` and `hash-topic` the number of a publication is
 * the same on every node, so that who has the same members in the same order chooses alike.
 */
import type { Random } from '../src/core/ports/random.ts'
import type { Publication } from '../src/core/publication.ts'

export type SharedStrategy = 'round-robin' | 'random' | 'local-first' | 'sticky' | 'hash-topic'

export class SharedTickets {
  readonly strategy: SharedStrategy
  readonly #random: Random

  constructor(strategy: SharedStrategy, random: Random) {
    this.strategy = strategy
    this.#random = random
  }

  /** Uniform in [0, 2^32). Undefined: who is chosen takes turns. */
  draw(publication: Publication): number | undefined {
    return this.strategy === 'random' ? this.#random.uint32() : this.foresee(publication)
  }

  /** What `draw` would answer. Undefined also when chance decides. */
  foresee({ topic, publisher, publisherKey }: Publication): number | undefined {
    if (this.strategy === 'sticky') return publisherKey ?? keyOf(publisher)
    return this.strategy === 'hash-topic' ? keyOf(topic) : undefined
  }

  /** Before it leaves for another node, which is not told the publisher and may have to choose by it. */
  prepare(publication: { readonly publisher: string; publisherKey?: number | undefined }): void {
    if (this.strategy === 'sticky') publication.publisherKey ??= keyOf(publication.publisher)
  }
}

/** FNV-1a over UTF-16 units, then the finalizer of MurmurHash3, since a rest of division sees the low bits. 32 bits. */
function keyOf(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193)
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}
