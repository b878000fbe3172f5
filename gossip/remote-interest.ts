import { limits } from '../src/core/limits.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { PeerAddress } from '../src/core/ports/peer-transport.ts'
import type { RemoteIndex, RemoteInterestStatus } from '../src/core/ports/routing.ts'
import type { InterestChange, InterestDelta } from './delta-codec.ts'
import type { InterestSummary } from './interest-frame-codec.ts'
import type { InterestStats } from './interest-stats.ts'

/** How long a missing delta is waited for before a snapshot is pulled instead. */
const GAP_WAIT_MS = 250
/** A pulled snapshot without progress for this long is pulled again. */
const PULL_PATIENCE_MS = 5_000

export interface RemoteInterestComponents {
  readonly index: RemoteIndex
  readonly clock: Clock
  readonly logger: Logger
  readonly stats: InterestStats
  /** Asks the peer for a snapshot; false when nothing can be sent. */
  readonly sendPull: () => boolean
  /** Tells the peer that its interest is held here as of `sequence`; false when nothing can be sent. */
  readonly sendConfirm: (sequence: number) => boolean
  /** `isKnown` changed. */
  readonly onKnownChanged: () => void
}

/**
 * The interest of one incarnation of one other node, as far as it is known here.
 *
 * Applies that node's changes to the remote index exactly once and in order of sequence, from a snapshot on. While it is
 * not known the index has the node match everything, and deltas are held back. Whatever is lost is found by a gap or by
 * the peer's digest, and repaired by a snapshot. Methods that take frames return what is wrong with them, or undefined.
 */
export class RemoteInterest {
  readonly peer: PeerAddress
  readonly #components: RemoteInterestComponents
  #known = false
  #sequence = 0
  #count = 0
  #checksum = 0
  #held: InterestDelta[] = []
  #gapTimer: Timer | undefined
  /** The snapshot being received. */
  #incoming: InterestSummary | undefined
  #pullProgressMs: number | undefined
  #previousDigestSequence = 0
  #isFirstDigest = true
  #owesConfirm = true

  constructor(peer: PeerAddress, components: RemoteInterestComponents) {
    this.peer = peer
    this.#components = components
    components.index.setKnown(peer.nodeId, false)
  }

  get isKnown(): boolean {
    return this.#known
  }

  get status(): RemoteInterestStatus {
    const { nodeId, incarnation } = this.peer
    return { nodeId, incarnation, sequence: this.#sequence, filters: this.#count, known: this.#known }
  }

  onLinkUp(): void {
    this.#isFirstDigest = true
    this.#owesConfirm = true
  }

  onLinkDown(): void {
    this.#incoming = undefined
    this.#pullProgressMs = undefined
  }

  /** Takes everything of this incarnation out of the index. */
  dispose(): void {
    this.#gapTimer?.cancel()
    this.#components.index.clear(this.peer.nodeId)
  }

  onDelta(delta: InterestDelta): void {
    if (this.#known && delta.firstSequence <= this.#sequence + 1) {
      this.#applyDelta(delta)
      if (this.#held.length > 0) this.#applyHeld()
      return
    }
    if (this.#held.length >= limits.gossipBufferedDeltasMax) {
      this.#held = []
      if (this.#known) this.#repair('too many deltas after a missing one')
    }
    this.#held.push(delta)
    if (this.#known) this.#awaitMissing()
  }

  onDigest(digest: InterestSummary): string | undefined {
    if (digest.incarnation !== this.peer.incarnation) return 'a digest of another incarnation'
    // Deltas and digests take different ways: only what a digest announced one interval ago must have arrived by now.
    const due = this.#isFirstDigest ? digest.sequence : this.#previousDigestSequence
    this.#isFirstDigest = false
    this.#previousDigestSequence = digest.sequence
    if (!this.#known) this.#pull()
    else if (this.#sequence < due) this.#repair('changes were lost')
    else if (this.#sequence === digest.sequence && !this.#agreesWith(digest)) this.#repair('checksums differ')
    else if (this.#sequence >= digest.sequence) this.#confirm()
    return undefined
  }

  onSnapshotBegin(summary: InterestSummary): string | undefined {
    if (this.#pullProgressMs === undefined) return 'a snapshot nobody asked for'
    if (summary.incarnation !== this.peer.incarnation) return 'a snapshot of another incarnation'
    this.#incoming = summary
    this.#pullProgressMs = this.#components.clock.now()
    this.#count = this.#checksum = 0
    this.#components.index.clear(this.peer.nodeId)
    this.#components.index.setKnown(this.peer.nodeId, false)
    return undefined
  }

  onSnapshotPart(filters: readonly string[], checksum: number): string | undefined {
    if (this.#incoming === undefined) return 'a part of no snapshot'
    this.#count += filters.length
    this.#checksum = (this.#checksum + checksum) >>> 0
    if (this.#count > this.#incoming.count) return 'a snapshot longer than announced'
    this.#pullProgressMs = this.#components.clock.now()
    for (const filter of filters) this.#components.index.add(this.peer.nodeId, filter)
    return undefined
  }

  onSnapshotEnd(): string | undefined {
    if (this.#incoming === undefined) return 'the end of no snapshot'
    if (!this.#agreesWith(this.#incoming)) return 'a snapshot that differs from its checksum'
    this.#sequence = this.#incoming.sequence
    this.#incoming = undefined
    this.#pullProgressMs = undefined
    this.#components.stats.snapshotsReceived++
    this.#setKnown(true)
    this.#owesConfirm = true
    this.#applyHeld()
    this.#confirm()
    return undefined
  }

  #applyDelta(delta: InterestDelta): void {
    const { index, stats } = this.#components
    const { nodeId } = this.peer
    for (let i = this.#sequence + 1 - delta.firstSequence; i < delta.changes.length; i++) {
      const { isAdd, filter, hash } = delta.changes[i] as InterestChange
      if (isAdd) index.add(nodeId, filter)
      else index.remove(nodeId, filter)
      this.#count += isAdd ? 1 : -1
      this.#checksum = (this.#checksum + (isAdd ? hash : -hash)) >>> 0
      this.#sequence++
      stats.changesApplied++
    }
  }

  #applyHeld(): void {
    const held = this.#held.sort((a, b) => a.firstSequence - b.firstSequence)
    this.#held = []
    for (const delta of held) {
      if (delta.firstSequence <= this.#sequence + 1) this.#applyDelta(delta)
      else this.#held.push(delta)
    }
    if (this.#held.length > 0) return this.#awaitMissing()
    this.#gapTimer?.cancel()
    this.#gapTimer = undefined
  }

  #awaitMissing(): void {
    if (this.#gapTimer !== undefined) return
    this.#components.stats.gaps++
    this.#gapTimer = this.#components.clock.schedule(GAP_WAIT_MS, () => {
      this.#gapTimer = undefined
      if (this.#known && this.#held.length > 0) this.#repair('a delta is missing')
    })
  }

  #repair(reason: string): void {
    const { nodeId } = this.peer
    const fields = { peer: nodeId, reason, sequence: this.#sequence }
    this.#components.logger.info("pulling a peer's interest anew", fields)
    this.#components.stats.repairs++
    this.#setKnown(false)
    this.#pull()
  }

  #pull(): void {
    const nowMs = this.#components.clock.now()
    if (this.#pullProgressMs !== undefined && nowMs - this.#pullProgressMs < PULL_PATIENCE_MS) return
    this.#incoming = undefined
    // Not sent now: the next digest asks again.
    this.#pullProgressMs = this.#components.sendPull() ? nowMs : undefined
  }

  #confirm(): void {
    if (this.#owesConfirm && this.#components.sendConfirm(this.#sequence)) this.#owesConfirm = false
  }

  #setKnown(known: boolean): void {
    this.#known = known
    this.#components.index.setKnown(this.peer.nodeId, known)
    this.#components.onKnownChanged()
  }

  #agreesWith(summary: InterestSummary): boolean {
    return this.#count === summary.count && this.#checksum === summary.checksum
  }
}
