import type { TopicHasher } from '../src/core/interest-hash.ts'
import { patternChecksum } from '../src/core/interest-hash.ts'
import type { Pattern } from './pattern-codec.ts'

/** The wildcards and shared subscriptions of this node as announced, with their additive checksum. */
export class PatternTable {
  readonly #hasher: TopicHasher
  readonly #patterns = new Map<string, Pattern>()
  #checksum = 0

  constructor(hasher: TopicHasher) {
    this.#hasher = hasher
  }

  get size(): number {
    return this.#patterns.size
  }

  /** Sum of `patternChecksum` of all patterns, modulo 2^32. */
  get checksum(): number {
    return this.#checksum
  }

  all(): readonly Pattern[] {
    return [...this.#patterns.values()]
  }

  membersOf(group: string, filter: string): number {
    return this.#patterns.get(patternKey(group, filter))?.members ?? 0
  }

  set(pattern: Pattern): void {
    const { group, filter, members } = pattern
    const difference = checksumChange(this.#hasher, pattern, this.membersOf(group, filter))
    this.#checksum = (this.#checksum + difference) >>> 0
    if (members > 0) this.#patterns.set(patternKey(group, filter), pattern)
    else this.#patterns.delete(patternKey(group, filter))
  }
}

/** Distinct for distinct patterns: a group's name has no slash. */
export function patternKey(group: string, filter: string): string {
  return `${group}/${filter}`
}

/** What the sum of checksums changes by when `pattern` takes the place of the same with `before` members. */
export function checksumChange(
  hasher: TopicHasher,
  { group, filter, members }: Pattern,
  before: number,
): number {
  const now = members > 0 ? patternChecksum(hasher, group, filter, members) : 0
  return now - (before > 0 ? patternChecksum(hasher, group, filter, before) : 0)
}
