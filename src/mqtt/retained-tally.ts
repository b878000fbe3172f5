/**
 * What this node's copy of the retained messages comes to, for comparing it with other nodes': which topic has an entry under
 * which stamp, and a checksum for each bucket of topics.
 *
 * It holds no messages. Invariant: a bucket's checksum is the sum of the marks of its entries, kept up on every change.
 */
import type { RetainedStamp } from '../core/publication.ts'

export const RETAINED_BUCKETS = 4096

export class RetainedTally {
  readonly #topics: (Set<string> | undefined)[] = []
  readonly #checksums = new Uint32Array(RETAINED_BUCKETS)
  #total = 0
  #count = 0

  get checksum(): number {
    return this.#total
  }

  get count(): number {
    return this.#count
  }

  checksumOf(bucket: number): number {
    return this.#checksums[bucket] ?? 0
  }

  bucketOf(topic: string): number {
    return hashOf(topic) & (RETAINED_BUCKETS - 1)
  }

  topicsOf(bucket: number): Iterable<string> {
    return this.#topics[bucket] ?? []
  }

  /** The topic's entry changed; undefined = there is or was none. */
  change(topic: string, before: RetainedStamp | undefined, after: RetainedStamp | undefined): void {
    const hash = hashOf(topic)
    const bucket = hash & (RETAINED_BUCKETS - 1)
    const difference = (after ? markOf(hash, after) : 0) - (before ? markOf(hash, before) : 0)
    this.#checksums[bucket] = (this.#checksums[bucket] ?? 0) + difference
    this.#total = (this.#total + difference) >>> 0
    if (before === undefined && after !== undefined) {
      this.#count++
      ;(this.#topics[bucket] ??= new Set()).add(topic)
    } else if (before !== undefined && after === undefined) {
      this.#count--
      this.#topics[bucket]?.delete(topic)
    }
  }
}

/** FNV-1a over the UTF-16 code units, mixed so that the low bits depend on all. */
function hashOf(topic: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < topic.length; i++) hash = Math.imul(hash ^ topic.charCodeAt(i), 0x01000193)
  return mix(hash)
}

function markOf(hash: number, { time, incarnation }: RetainedStamp): number {
  const low = mix(hash ^ ((time % 2 ** 32) | 0))
  const high = mix(low ^ Math.floor(time / 2 ** 32))
  return (
    mix(high ^ ((incarnation % 2 ** 32) | 0) ^ Math.imul(Math.floor(incarnation / 2 ** 32), 0x9e3779b1)) >>> 0
  )
}

/** The finaliser of MurmurHash3. */
function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
