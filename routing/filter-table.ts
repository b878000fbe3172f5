import { hasWildcard } from '../src/core/topic.ts'
import { TopicTrie } from './topic-trie.ts'

/** Values by topic filter: those without wildcards by name, the rest in a trie. */
export class FilterTable<V extends object> {
  readonly #exact = new Map<string, V>()
  readonly #wildcards: TopicTrie<V>
  readonly #wildcardFilters = new Set<string>()

  /** `secret`: 32 random bits where clients choose the filters. */
  constructor(secret: number) {
    this.#wildcards = new TopicTrie(secret)
  }

  get size(): number {
    return this.#exact.size + this.#wildcardFilters.size
  }

  *filters(): Iterable<string> {
    yield* this.#exact.keys()
    yield* this.#wildcardFilters
  }

  /** Only those with wildcards. */
  get wildcardFilters(): ReadonlySet<string> {
    return this.#wildcardFilters
  }

  get(filter: string): V | undefined {
    return hasWildcard(filter) ? this.#wildcards.get(filter) : this.#exact.get(filter)
  }

  set(filter: string, value: V): void {
    if (hasWildcard(filter)) {
      this.#wildcards.set(filter, value)
      this.#wildcardFilters.add(filter)
    } else {
      this.#exact.set(filter, value)
    }
  }

  delete(filter: string): void {
    if (hasWildcard(filter)) {
      this.#wildcards.delete(filter)
      this.#wildcardFilters.delete(filter)
    } else {
      this.#exact.delete(filter)
    }
  }

  /** Appends the values of all filters that match the topic name to `into`. False as `TopicTrie.match`. */
  match(topic: string, into: V[], visitsMax = Infinity): boolean {
    const exact = this.#exact.get(topic)
    if (exact !== undefined) into.push(exact)
    return this.#wildcards.match(topic, into, visitsMax)
  }
}
