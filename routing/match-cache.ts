import { TopicHasher } from '../src/core/interest-hash.ts'
import { limits } from '../src/core/limits.ts'

/** Enough that topics which would fit into the cache rarely meet. */
const SEEN_PAIRS = 2 * limits.topicCacheEntriesMax

/**
 * Answers of an index, by topic. Bounded by entries, by what the answers hold together and by the length of a topic;
 * emptied when a bound is reached. An answer is remembered when it is found for the second time: of topics that come once
 * nothing is kept, and remembering costs more than finding.
 */
export class MatchCache<T> {
  readonly #answers = new Map<string, readonly T[]>()
  #heldItems = 0
  readonly #hasher = new TopicHasher('')
  /** Hashes of topics found once, in pairs of places: the newer one first. */
  readonly #seen = new Int32Array(2 * SEEN_PAIRS)

  get(topic: string): readonly T[] | undefined {
    return this.#answers.get(topic)
  }

  set(topic: string, answer: readonly T[]): void {
    if (topic.length > limits.cachedTopicLengthMax || !this.#isSeen(topic)) return
    if (this.#answers.size >= limits.topicCacheEntriesMax || this.#heldItems >= limits.topicCacheItemsMax)
      this.clear()
    this.#answers.set(topic, answer)
    this.#heldItems += answer.length
  }

  /** Forgets one topic: an exact filter changed. */
  delete(topic: string): void {
    const answer = this.#answers.get(topic)
    if (answer === undefined) return
    this.#answers.delete(topic)
    this.#heldItems -= answer.length
  }

  /** Forgets everything: a wildcard, which may concern any topic, changed. */
  clear(): void {
    if (this.#answers.size === 0) return
    this.#answers.clear()
    this.#heldItems = 0
  }

  /** Whether it came before, not too long ago; from now on it did. */
  #isSeen(topic: string): boolean {
    const hasher = this.#hasher
    hasher.hash(topic)
    const { low, high } = hasher
    const seen = this.#seen
    const at = 2 * ((low >>> 0) % SEEN_PAIRS)
    if (seen[at] === high || seen[at + 1] === high) return true
    seen[at + 1] = seen[at] as number
    seen[at] = high
    return false
  }
}
