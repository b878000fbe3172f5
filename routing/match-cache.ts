import { limits } from '../src/core/limits.ts'

/**
 * Answers of an index, by topic. Bounded by entries, by what the answers hold together and by the length of a topic;
 * emptied when a bound is reached.
 */
export class MatchCache<T> {
  readonly #answers = new Map<string, readonly T[]>()
  #heldItems = 0

  get(topic: string): readonly T[] | undefined {
    return this.#answers.get(topic)
  }

  set(topic: string, answer: readonly T[]): void {
    if (topic.length > limits.cachedTopicLengthMax) return
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
}
