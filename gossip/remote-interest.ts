/**
 * The interest of one incarnation of one other node, as far as it is known here.
 *
 * Applies that node's changes to the remote index exactly once and in order of sequence, from a first repair on. While it
 * is not known the index has the node match everything, and deltas are held back. Whatever is lost is found by a gap or by
 * the peer's digest, and repaired by what differs. Methods that take frames return what is wrong with them, or undefined.
 * Invariant: while the interest is known, the index holds what the peer announced up to `sequence`, unless somebody lied.
 */
import { limits } from '../src/core/limits.ts'
import { SEGMENT_BITS, SEGMENT_POSITIONS } from '../src/core/interest-hash.ts'
import type { TopicHasher } from '../src/core/interest-hash.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { PeerAddress } from '../src/core/ports/peer-transport.ts'
import type { RemoteIndex, RemoteInterestStatus, RemoteNodeInterest } from '../src/core/ports/routing.ts'
import { applyExactChanges } from './delta-codec.ts'
import type { InterestDelta } from './delta-codec.ts'
import type { FeedState } from './feed-image.ts'
import { HeldDeltas } from './held-deltas.ts'
import type { InterestPull, InterestSummary, RepairBegin } from './interest-frame-codec.ts'
import type { InterestStats } from './interest-stats.ts'
import type { Pattern } from './pattern-codec.ts'
import { checksumChange } from './pattern-table.ts'
import type { Segment } from './segment-codec.ts'

/** How long a missing delta is waited for before it is repaired instead. */
const GAP_WAIT_MS = 250
/** A pull without progress for this long is sent again. */
const PULL_PATIENCE_MS = 5_000
/** Digests that differ from what was just repaired are the more seldom believed, up to one in this many. */
const DISBELIEF_MAX = 64

export interface RemoteInterestComponents {
  readonly index: RemoteIndex
  readonly hasher: TopicHasher
  readonly clock: Clock
  readonly logger: Logger
  readonly stats: InterestStats
  /** Asks the peer for what differs; false when nothing can be sent. */
  readonly sendPull: (pull: InterestPull) => boolean
  /** Tells the peer that its interest is applied here up to `sequence`; false when nothing can be sent. */
  readonly sendApplied: (sequence: number) => boolean
  /** `isKnown` changed. */
  readonly onKnownChanged: () => void
  /** `state` changed. */
  readonly onApplied: () => void
}

/** A repair being received. */
interface Incoming {
  readonly announced: RepairBegin
  segments: number
  lastSegment: number
}

export class RemoteInterest {
  readonly peer: Pick<PeerAddress, 'nodeId' | 'incarnation'>
  readonly #components: RemoteInterestComponents
  readonly #node: RemoteNodeInterest
  readonly #held = new HeldDeltas()
  #isKnown = false
  #sequence = 0
  /** Of the bloom filter in the index; 0 while there is none that is complete. */
  #generation = 0
  #exactCount = 0
  #patternCount = 0
  #patternChecksum = 0
  #gapTimer: Timer | undefined
  #incoming: Incoming | undefined
  #pullProgressMs: number | undefined
  /** What is on its way in answer to the last pull is too old. */
  #isAnswerStale = false
  #previousDigestSequence = 0
  #appliedAtDigest = 0
  #isFirstDigest = true
  /** Whether the peer has not been told how far its interest is applied. */
  #owesApplied = true
  #isAppliedScheduled = false
  #isDisposed = false
  /** Repairs since a digest agreed, and digests to pass over before the next. */
  #repairsInVain = 0
  #digestsPassedOver = 0

  constructor(peer: Pick<PeerAddress, 'nodeId' | 'incarnation'>, components: RemoteInterestComponents) {
    this.peer = peer
    this.#components = components
    this.#node = components.index.node(peer.nodeId)
    this.#node.setKnown(false)
    this.#node.clearPatterns() // of an earlier incarnation, whose last interest may have been kept
  }

  get isKnown(): boolean {
    return this.#isKnown
  }

  get status(): RemoteInterestStatus {
    const { nodeId, incarnation } = this.peer
    const filters = this.#exactCount + this.#patternCount
    return { nodeId, incarnation, sequence: this.#sequence, filters, known: this.#isKnown }
  }

  /** What the index holds of it, in numbers; undefined while it is not known. */
  get state(): FeedState | undefined {
    if (!this.#isKnown) return undefined
    return {
      sequence: this.#sequence,
      generation: this.#generation,
      exactCount: this.#exactCount,
      exactChecksum: this.#node.checksum,
      patternCount: this.#patternCount,
      patternChecksum: this.#patternChecksum,
    }
  }

  /** All of it in numbers, as its digest would say; undefined while it is not known. */
  get summary(): InterestSummary | undefined {
    const { state } = this
    if (state === undefined) return undefined
    const bits = SEGMENT_BITS + Math.log2(this.#node.checksums.length)
    return { ...state, incarnation: this.peer.incarnation, bits }
  }

  /** About what its filters take as a bloom filter, and how many patterns there are. */
  get size(): { readonly bloomBytes: number; readonly patterns: number } {
    return { bloomBytes: this.#node.checksums.length * (SEGMENT_POSITIONS / 8), patterns: this.#patternCount }
  }

  onLinkUp(): void {
    this.#isFirstDigest = true
    this.#owesApplied = true
  }

  onLinkDown(): void {
    this.#incoming = undefined // what it wrote stays: the checksums tell what it is
    this.#pullProgressMs = undefined
    this.#isAnswerStale = false
  }

  /** From now on it counts as known again only by what the peer says later. */
  doubt(): void {
    this.#setKnown(false)
    if (this.#pullProgressMs === undefined) this.#pull()
    else this.#isAnswerStale = true
  }

  /** Takes everything of this incarnation out of the index. */
  dispose(): void {
    this.#isDisposed = true
    this.#gapTimer?.cancel()
    this.#components.index.clear(this.peer.nodeId)
  }

  onDelta(delta: InterestDelta): void {
    if (this.#isKnown && delta.lastSequence <= this.#sequence) return
    if (this.#isKnown && this.#follows(delta)) {
      this.#apply(delta)
      if (!this.#held.isEmpty) this.#applyHeld()
      return
    }
    if (!this.#held.put(delta)) {
      if (this.#isKnown) this.#repair('too many deltas after a missing one')
      this.#held.put(delta)
    }
    if (this.#isKnown) this.#awaitMissing()
  }

  onDigest(digest: InterestSummary): string | undefined {
    if (digest.incarnation !== this.peer.incarnation) return 'a digest of another incarnation'
    // Deltas and digests take different ways: only what a digest announced one interval ago must have arrived by now.
    const due = this.#isFirstDigest ? digest.sequence : this.#previousDigestSequence
    this.#isFirstDigest = false
    this.#previousDigestSequence = digest.sequence
    // And what was applied here before the last digest the peer had announced before this one.
    const isAhead = digest.sequence < this.#appliedAtDigest
    this.#appliedAtDigest = this.#sequence
    this.#countDigest(digest, due, isAhead)
    if (this.#digestsPassedOver > 0) this.#digestsPassedOver--
    else if (!this.#isKnown) this.#pull()
    else if (isAhead) this.#repair('changes were applied that it never made')
    else if (digest.generation !== this.#generation) this.#repair('its bloom filter was built anew')
    else if (this.#sequence < due) this.#repair('changes were lost')
    else if (this.#sequence === digest.sequence && !this.#agreesWith(digest)) this.#disbelieve()
    else if (this.#sequence >= digest.sequence) {
      this.#repairsInVain = 0
      if (this.#owesApplied) this.#sendAppliedSoon()
    }
    return undefined
  }

  /** A digest that names changes which are still on their way, and are not late, agrees. */
  #countDigest(digest: InterestSummary, due: number, isAhead: boolean): void {
    const { stats } = this.#components
    const isSame = this.#sequence === digest.sequence && digest.generation === this.#generation
    if (!this.#isKnown) stats.digestsUnknown++
    else if (isAhead || (isSame && !this.#agreesWith(digest))) stats.digestsDiffered++
    else if (this.#sequence < due || digest.generation !== this.#generation) stats.digestsBehind++
    else stats.digestsAgreed++
  }

  onRepairBegin(repair: RepairBegin): string | undefined {
    if (this.#pullProgressMs === undefined) return 'a repair nobody asked for'
    if (repair.incarnation !== this.peer.incarnation) return 'a repair of another incarnation'
    if (repair.patternCount > limits.interestPatternsMax) return 'more patterns than a node may have'
    const isSameFilter = repair.generation === this.#generation
    if (isSameFilter && this.#node.checksums.length !== 2 ** (repair.bits - SEGMENT_BITS))
      return 'a bloom filter of another size'
    this.#pullProgressMs = this.#components.clock.now()
    this.#incoming = { announced: repair, segments: 0, lastSegment: -1 }
    if (!isSameFilter) {
      this.#generation = 0
      this.#node.begin(repair.bits)
      if (repair.segments !== this.#node.checksums.length) return 'a bloom filter with parts missing'
    }
    if (repair.hasPatterns) {
      this.#node.clearPatterns()
      this.#patternCount = this.#patternChecksum = 0
    }
    return undefined
  }

  onSegments(segments: readonly Segment[]): string | undefined {
    const incoming = this.#incoming
    if (incoming === undefined) return 'a part of no repair'
    for (const { index, words } of segments) {
      if (index <= incoming.lastSegment || index >= this.#node.checksums.length)
        return 'a segment out of order'
      if (++incoming.segments > incoming.announced.segments) return 'a repair longer than announced'
      incoming.lastSegment = index
      this.#node.writeSegment(index, words)
      this.#components.stats.segmentsReceived++
    }
    this.#pullProgressMs = this.#components.clock.now()
    return undefined
  }

  onPatterns(patterns: readonly Pattern[]): string | undefined {
    if (this.#incoming?.announced.hasPatterns !== true) return 'patterns of no repair'
    for (const pattern of patterns) this.#setPattern(pattern)
    if (this.#patternCount > this.#incoming.announced.patternCount) return 'a repair longer than announced'
    this.#pullProgressMs = this.#components.clock.now()
    return undefined
  }

  onRepairEnd(): string | undefined {
    if (this.#incoming === undefined) return 'the end of no repair'
    const { announced, segments } = this.#incoming
    if (segments !== announced.segments) return 'a repair shorter than announced'
    this.#exactCount = announced.exactCount
    if (!this.#agreesWith(announced)) {
      this.#generation = 0
      return 'a repair that differs from its checksum'
    }
    this.#generation = announced.generation
    this.#sequence = announced.sequence
    this.#appliedAtDigest = 0
    this.#incoming = undefined
    this.#pullProgressMs = undefined
    this.#components.stats.repairsReceived++
    if (this.#isAnswerStale) {
      this.#isAnswerStale = false
      this.#pull()
      return undefined
    }
    this.#setKnown(true)
    this.#components.onApplied()
    this.#applyHeld()
    this.#sendAppliedSoon()
    return undefined
  }

  #follows(delta: InterestDelta): boolean {
    return delta.firstSequence === this.#sequence + 1 && delta.generation === this.#generation
  }

  #apply(delta: InterestDelta): void {
    this.#exactCount += applyExactChanges(delta.exact, this.#node)
    for (const pattern of delta.patterns) this.#setPattern(pattern)
    this.#components.stats.changesApplied += delta.lastSequence - delta.firstSequence + 1
    this.#sequence = delta.lastSequence
    this.#components.onApplied()
    this.#sendAppliedSoon()
    if (this.#exactCount < 0) {
      this.#exactCount = 0
      this.#repair('more filters were removed than there were')
    } else if (this.#patternCount > limits.interestPatternsMax) {
      this.#repair('it has more patterns than a node may have')
    }
  }

  #setPattern(pattern: Pattern): void {
    const { group, filter, members } = pattern
    const before = this.#node.setPattern(group, filter, members)
    this.#patternCount += (members > 0 ? 1 : 0) - (before > 0 ? 1 : 0)
    const difference = checksumChange(this.#components.hasher, pattern, before)
    this.#patternChecksum = (this.#patternChecksum + difference) >>> 0
  }

  #applyHeld(): void {
    for (let delta = this.#held.first; delta !== undefined && this.#isKnown; delta = this.#held.first) {
      if (delta.lastSequence > this.#sequence) {
        if (!this.#follows(delta)) break
        this.#apply(delta)
      }
      this.#held.dropFirst()
    }
    if (!this.#held.isEmpty) return this.#awaitMissing()
    this.#gapTimer?.cancel()
    this.#gapTimer = undefined
  }

  #awaitMissing(): void {
    if (this.#gapTimer !== undefined || !this.#isKnown) return
    this.#components.stats.gaps++
    this.#gapTimer = this.#components.clock.schedule(GAP_WAIT_MS, () => {
      this.#gapTimer = undefined
      if (this.#isKnown && !this.#held.isEmpty) this.#repair('a delta is missing')
    })
  }

  /**
   * Checksums differ at the same sequence: somebody forged a delta, or the peer's digests lie. One that goes on like that is
   * repaired more and more seldom, and matches everything meanwhile.
   */
  #disbelieve(): void {
    this.#repairsInVain++
    this.#digestsPassedOver = Math.min(DISBELIEF_MAX, 2 ** (this.#repairsInVain - 1)) - 1
    if (this.#repairsInVain > 1) {
      const fields = { peer: this.peer.nodeId, repairs: this.#repairsInVain }
      this.#components.logger.warn("a peer's digests keep differing from the interest it sends", fields)
    }
    this.#repair('checksums differ')
  }

  #repair(reason: string): void {
    const { nodeId } = this.peer
    const fields = { peer: nodeId, reason, sequence: this.#sequence }
    this.#components.logger.info("repairing what is known of a peer's interest", fields)
    this.#components.stats.repairs++
    this.#setKnown(false)
    if (this.#digestsPassedOver === 0) this.#pull()
  }

  #pull(): void {
    const nowMs = this.#components.clock.now()
    if (this.#pullProgressMs !== undefined && nowMs - this.#pullProgressMs < PULL_PATIENCE_MS) return
    this.#incoming = undefined // what it wrote stays: the checksums tell what it is
    const isSent = this.#components.sendPull({
      generation: this.#generation,
      patternCount: this.#patternCount,
      patternChecksum: this.#patternChecksum,
      checksums: this.#generation === 0 ? new Uint32Array(0) : this.#node.checksums,
    })
    // Not sent now: the next digest asks again.
    this.#pullProgressMs = isSent ? nowMs : undefined
  }

  /** Once per turn, however many deltas it brings; a refused one is sent with the next digest. */
  #sendAppliedSoon(): void {
    this.#owesApplied = true
    if (this.#isAppliedScheduled) return
    this.#isAppliedScheduled = true
    this.#components.clock.defer(() => {
      this.#isAppliedScheduled = false
      if (this.#isDisposed || !this.#isKnown || !this.#owesApplied) return
      if (this.#components.sendApplied(this.#sequence)) this.#owesApplied = false
    })
  }

  #setKnown(known: boolean): void {
    this.#isKnown = known
    this.#node.setKnown(known)
    this.#components.onKnownChanged()
  }

  #agreesWith(summary: InterestSummary): boolean {
    return (
      this.#exactCount === summary.exactCount &&
      this.#node.checksum === summary.exactChecksum &&
      this.#patternCount === summary.patternCount &&
      this.#patternChecksum === summary.patternChecksum
    )
  }
}
