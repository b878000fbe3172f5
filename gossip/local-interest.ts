/**
 * This node's side of the interest protocol: numbers the changes, batches them into deltas, and keeps what others compare
 * theirs with: a counting bloom filter of exact filters, the patterns, and the checksums of both.
 *
 * A change gets its sequence when its batch is published, so the announced state always lies between two batches, and a
 * filter that came and went within one batch is never mentioned. The first change after a pause goes out at the end of
 * the turn, later ones at most once per batch interval. Never sends to anybody itself. Invariant: what is announced and
 * what is pending together are the filters there are.
 */
import type { Incarnation, NodeId } from '../src/core/ids.ts'
import { TopicHasher } from '../src/core/interest-hash.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { LocalIndex } from '../src/core/ports/routing.ts'
import { hasWildcard } from '../src/core/topic.ts'
import { BloomRebuild } from './bloom-rebuild.ts'
import { bloomBitsAfter, bloomBitsFor } from './bloom-sizing.ts'
import { CountingBloom } from './counting-bloom.ts'
import { encodeDeltas, ExactChanges } from './delta-codec.ts'
import type { InterestPull, InterestSummary } from './interest-frame-codec.ts'
import type { Pattern } from './pattern-codec.ts'
import { patternKey, PatternTable } from './pattern-table.ts'
import type { Segment } from './segment-codec.ts'

/** What a peer needs to hold this node's interest as of one sequence. */
export interface InterestRepair {
  readonly summary: InterestSummary
  readonly segments: readonly Segment[]
  /** Undefined when the peer has them. */
  readonly patterns: readonly Pattern[] | undefined
}

export interface LocalInterestComponents {
  readonly local: Pick<LocalIndex, 'filters' | 'groups'>
  readonly clock: Clock
  /** The messages of one batch, and when the first of its changes was made. */
  readonly publish: (messages: readonly Uint8Array[], lastSequence: number, changedAtMs: number) => void
  /** The bloom filter was built anew: peers must be told. */
  readonly onNewGeneration: () => void
  /** Least time between two batches now, ms. */
  readonly batchIntervalMs: () => number
}

export class LocalInterest {
  readonly #components: LocalInterestComponents
  readonly #hasher: TopicHasher
  readonly #patterns: PatternTable
  #self: { readonly nodeId: NodeId; readonly incarnation: Incarnation } | undefined
  /** Exact filter → whether it was added; what was announced is not among them. */
  readonly #pendingExact = new Map<string, boolean>()
  /** By group and filter: how many members to announce. */
  readonly #pendingPatterns = new Map<string, Pattern>()
  #firstPendingMs = 0
  #isFlushAwaited = false
  #isStopped = false
  #sequence = 0
  #generation = 1
  #exactCount = 0
  #bloom = new CountingBloom(bloomBitsFor(0))
  #rebuild: BloomRebuild | undefined

  constructor(components: LocalInterestComponents, cluster: string) {
    this.#components = components
    this.#hasher = new TopicHasher(cluster)
    this.#patterns = new PatternTable(this.#hasher)
  }

  /** Whether changes wait for their sequence. */
  get hasPending(): boolean {
    return this.#pendingExact.size > 0 || this.#pendingPatterns.size > 0
  }

  /** When the first change was made that waits for its sequence; Infinity when none does. */
  get pendingSinceMs(): number {
    return this.hasPending ? this.#firstPendingMs : Infinity
  }

  get sequence(): number {
    return this.#sequence
  }

  /** About what the filters take as a bloom filter, and how many patterns there are. */
  get size(): { readonly bloomBytes: number; readonly patterns: number } {
    return { bloomBytes: 2 ** (this.#bloom.bits - 3), patterns: this.#patterns.size }
  }

  /** Of the bloom filter as announced, by segment; not to be modified. */
  get checksums(): Uint32Array {
    return this.#bloom.checksums
  }

  /** Begins an incarnation at sequence 0 with the filters there are; changes before it need not be reported. */
  start(nodeId: NodeId, incarnation: Incarnation): void {
    this.#self = { nodeId, incarnation }
    const { local } = this.#components
    for (const group of local.groups()) this.#patterns.set(group)
    const exact: string[] = []
    for (const filter of local.filters()) {
      if (hasWildcard(filter)) this.#patterns.set({ group: '', filter, members: 1 })
      else exact.push(filter)
    }
    this.#exactCount = exact.length
    this.#bloom = new CountingBloom(bloomBitsFor(exact.length))
    for (const filter of exact) {
      this.#hasher.hash(filter)
      this.#bloom.add(this.#hasher.low, this.#hasher.high)
    }
  }

  /** To be called at exactly the 0 → 1 (`isAdd`) and 1 → 0 transitions of an ordinary filter. */
  change(filter: string, isAdd: boolean): void {
    if (hasWildcard(filter)) return this.changePattern('', filter, isAdd ? 1 : 0)
    if (!this.#isTaking()) return
    if (!this.#pendingExact.delete(filter)) this.#pendingExact.set(filter, isAdd)
  }

  /** To be called whenever a shared subscription's members on this node become more or less. */
  changePattern(group: string, filter: string, members: number): void {
    if (!this.#isTaking()) return
    const key = patternKey(group, filter)
    if (members === this.#patterns.membersOf(group, filter)) this.#pendingPatterns.delete(key)
    else this.#pendingPatterns.set(key, { group, filter, members })
  }

  /** The announced state in numbers. Only after `start`. */
  summary(): InterestSummary {
    if (this.#self === undefined) throw new Error('the interest exchange was not started')
    return {
      incarnation: this.#self.incarnation,
      sequence: this.#sequence,
      generation: this.#generation,
      bits: this.#bloom.bits,
      exactCount: this.#exactCount,
      exactChecksum: this.#bloom.checksum,
      patternCount: this.#patterns.size,
      patternChecksum: this.#patterns.checksum,
    }
  }

  /** Announces what is pending, and answers what of the state differs from what the peer says it has. */
  repairFor(pull: InterestPull): InterestRepair {
    this.#flush()
    const summary = this.summary()
    const { checksums } = this.#bloom
    const isComparable = pull.generation === summary.generation && pull.checksums.length === checksums.length
    const segments: Segment[] = []
    for (let index = 0; index < checksums.length; index++) {
      if (isComparable && pull.checksums[index] === checksums[index]) continue
      segments.push({ index, words: this.#bloom.segment(index) })
    }
    const hasSamePatterns =
      pull.patternCount === summary.patternCount && pull.patternChecksum === summary.patternChecksum
    return { summary, segments, patterns: hasSamePatterns ? undefined : this.#patterns.all() }
  }

  stop(): void {
    this.#isStopped = true
    this.#rebuild = undefined
    this.#pendingExact.clear()
    this.#pendingPatterns.clear()
  }

  #isTaking(): boolean {
    if (this.#self === undefined || this.#isStopped) return false
    const { clock } = this.#components
    if (!this.hasPending) this.#firstPendingMs = clock.now()
    if (!this.#isFlushAwaited) {
      this.#isFlushAwaited = true
      clock.defer(() => this.#flushAndRest())
    }
    return true
  }

  #flushAndRest(): void {
    this.#flush()
    const { clock, batchIntervalMs } = this.#components
    clock.schedule(batchIntervalMs(), () => {
      if (this.hasPending) this.#flushAndRest()
      else this.#isFlushAwaited = false
    })
  }

  #flush(): void {
    if (!this.hasPending || this.#self === undefined) return
    const exact = new ExactChanges()
    for (const [filter, isAdd] of this.#pendingExact) this.#applyExact(filter, isAdd, exact)
    const patterns = [...this.#pendingPatterns.values()]
    for (const pattern of patterns) this.#patterns.set(pattern)
    this.#pendingExact.clear()
    this.#pendingPatterns.clear()
    const firstSequence = this.#sequence + 1
    this.#sequence += exact.count + patterns.length
    const generation = this.#generation
    const messages = encodeDeltas({ ...this.#self, firstSequence, generation, exact, patterns })
    this.#components.publish(messages, this.#sequence, this.#firstPendingMs)
    this.#resizeIfDue()
  }

  #applyExact(filter: string, isAdd: boolean, changes: ExactChanges): void {
    this.#hasher.hash(filter)
    const { low, high } = this.#hasher
    this.#rebuild?.changed(low, high, isAdd)
    if (isAdd) {
      this.#exactCount++
      this.#bloom.add(low, high)
      changes.added(low, high)
    } else {
      this.#exactCount--
      changes.removed(low, high, this.#bloom.remove(low, high))
    }
  }

  /** Begins to build the bloom filter anew when it has become too small or far too large. Nothing is pending now. */
  #resizeIfDue(): void {
    if (this.#rebuild !== undefined) return
    const bits = bloomBitsAfter(this.#bloom.bits, this.#exactCount)
    if (bits === this.#bloom.bits) return
    const filters: string[] = []
    for (const filter of this.#components.local.filters()) if (!hasWildcard(filter)) filters.push(filter)
    if (filters.length !== this.#exactCount) {
      throw new Error(
        `${this.#exactCount} filters were reported to the interest exchange, ${filters.length} exist`,
      )
    }
    const rebuild = new BloomRebuild(bits, filters, this.#hasher)
    this.#rebuild = rebuild
    this.#continueRebuild(rebuild)
  }

  #continueRebuild(rebuild: BloomRebuild): void {
    this.#components.clock.defer(() => {
      if (this.#rebuild !== rebuild) return
      if (!rebuild.step()) return this.#continueRebuild(rebuild)
      this.#rebuild = undefined
      this.#bloom = rebuild.bloom
      this.#generation++
      this.#components.onNewGeneration()
    })
  }
}
