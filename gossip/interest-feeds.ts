/**
 * The two ways changes of interest travel, gossip and records in the coordination store, and which of them this node writes,
 * reads and compares now.
 *
 * It does as the plan says that it follows, and tells how far it has come; it knows nothing of phases, members of a switch or
 * what comes next. Both ways carry the same deltas, and whoever takes them drops what it has, so reading both is harmless.
 * Invariant: what only the feed on trial brings never reaches the index.
 */
import type { NodeId } from '../src/core/ids.ts'
import type { TopicHasher } from '../src/core/interest-hash.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { InterestRecord, InterestRecords } from '../src/core/ports/interest-records.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { PeerAddress } from '../src/core/ports/peer-transport.ts'
import { lifeName } from '../src/core/ports/subscription-mode.ts'
import type { FeedPlan, FeedProgress, InterestFeedSwitch } from '../src/core/ports/subscription-mode.ts'
import type { InterestDelta } from './delta-codec.ts'
import { decodeLog, joinRecords, LOG_PREFIX } from './feed-codec.ts'
import { FeedComparison } from './feed-comparison.ts'
import type { FeedState } from './feed-image.ts'
import { FeedWriter } from './feed-writer.ts'
import type { LocalInterest } from './local-interest.ts'

export interface InterestFeedsComponents {
  /** Undefined: gossip is the only way there is. */
  readonly records: InterestRecords | undefined
  readonly hasher: TopicHasher
  readonly clock: Clock
  readonly logger: Logger
  readonly local: Pick<LocalInterest, 'repairFor' | 'checksums'>
  /** A feed that is read brought a delta of a member. */
  readonly take: (nodeId: NodeId, delta: InterestDelta) => void
  /** What the index holds of a member; undefined while it is not known. */
  readonly indexed: (nodeId: NodeId) => FeedState | undefined
}

export interface FeedStats {
  /** Deltas of members that came through the store. */
  recordedDeltas: number
  /** Of those, what could not be read. */
  recordsRejected: number
  /** Comparisons of a member's two feeds that ended, and those in which they differed. */
  comparisons: number
  mismatches: number
}

interface Member {
  readonly peer: PeerAddress
  watch: { close(): void } | undefined
  isWatched: boolean
  comparison: FeedComparison | undefined
}

const GOSSIP_ONLY: FeedPlan = { writes: ['gossip'], reads: ['gossip'], compares: undefined }

export class InterestFeeds implements InterestFeedSwitch {
  readonly stats: FeedStats = { recordedDeltas: 0, recordsRejected: 0, comparisons: 0, mismatches: 0 }
  readonly #components: InterestFeedsComponents
  readonly #writer: FeedWriter | undefined
  readonly #members = new Map<NodeId, Member>()
  #plan = GOSSIP_ONLY
  #onProgress: (progress: FeedProgress) => void = () => {}
  #isReportDue = false
  #isStoreFull = false
  #isStopped = false

  constructor(components: InterestFeedsComponents) {
    this.#components = components
    const { records, clock, local } = components
    if (records === undefined) return
    this.#writer = new FeedWriter({
      records,
      clock,
      local,
      onChanged: fault => {
        this.#isStoreFull = fault === 'full'
        this.#reportSoon()
      },
    })
  }

  follow(plan: FeedPlan, onProgress: (progress: FeedProgress) => void): void {
    if (this.#isStopped) return
    const before = this.#plan
    this.#plan = plan
    this.#onProgress = onProgress
    this.#isStoreFull = false
    const writer = this.#writer
    if (uses(plan, 'etcd') && writer === undefined)
      throw new Error('there is no store for records of interest')
    if (plan.writes.includes('etcd')) writer?.start()
    else if (writer?.isRunning === true) writer.stop()
    // What stands there is of use as long as somebody may read it.
    if (uses(before, 'etcd') && !uses(plan, 'etcd')) writer?.erase()
    for (const member of this.#members.values()) {
      member.comparison?.stop()
      member.comparison = undefined
      this.#attend(member)
    }
    this.#reportSoon()
  }

  get writesGossip(): boolean {
    return this.#plan.writes.includes('gossip')
  }

  /** Messages of one batch of this node, in order; not to be modified. */
  spread(messages: readonly Uint8Array[]): void {
    this.#writer?.add(messages)
  }

  /** This node's bloom filter was built anew. */
  onNewGeneration(): void {
    this.#writer?.renew()
  }

  /** A delta came by gossip; true when the index is to have it. */
  onGossip(nodeId: NodeId, delta: InterestDelta): boolean {
    if (this.#plan.compares === 'gossip') this.#members.get(nodeId)?.comparison?.onDelta(delta)
    return this.#plan.reads.includes('gossip')
  }

  /** The index holds another state of that member. */
  onIndexed(nodeId: NodeId): void {
    this.#members.get(nodeId)?.comparison?.onIndexed()
  }

  setMembers(peers: readonly PeerAddress[]): void {
    for (const [nodeId, member] of this.#members) {
      const { incarnation } = member.peer
      if (peers.some(peer => peer.nodeId === nodeId && peer.incarnation === incarnation)) continue
      this.#dismiss(member)
      this.#members.delete(nodeId)
    }
    for (const peer of peers) {
      if (this.#members.has(peer.nodeId)) continue
      const member = { peer, watch: undefined, isWatched: false, comparison: undefined }
      this.#members.set(peer.nodeId, member)
      this.#attend(member)
    }
    this.#reportSoon()
  }

  stop(): void {
    this.#isStopped = true
    this.#writer?.stop()
    for (const member of this.#members.values()) this.#dismiss(member)
  }

  /** Watches and compares the member as far as the plan says. */
  #attend(member: Member): void {
    const { reads, compares } = this.#plan
    const { records } = this.#components
    if (records === undefined || this.#isStopped) return
    const isWatchWanted = reads.includes('etcd') || compares === 'etcd'
    if (isWatchWanted) member.watch ??= this.#watch(member, records)
    else this.#unwatch(member)
    if (compares !== undefined) member.comparison = this.#compare(member, records)
  }

  #watch(member: Member, records: InterestRecords): { close(): void } {
    const { nodeId, incarnation } = member.peer
    return records.watch(nodeId, incarnation, LOG_PREFIX, {
      onReset: all => {
        this.#onRecords(member, all)
        if (member.isWatched) return
        member.isWatched = true
        this.#reportSoon()
      },
      onPut: some => this.#onRecords(member, some),
    })
  }

  #unwatch(member: Member): void {
    member.watch?.close()
    member.watch = undefined
    member.isWatched = false
  }

  #compare({ peer }: Member, records: InterestRecords): FeedComparison {
    const { hasher, clock, logger, indexed } = this.#components
    const comparison: FeedComparison = new FeedComparison(peer, {
      records,
      hasher,
      clock,
      indexed: () => indexed(peer.nodeId),
      onVerdict: () => {
        this.stats.comparisons++
        if (comparison.verdict === 'different') {
          this.stats.mismatches++
          const fields = { peer: peer.nodeId, difference: comparison.difference ?? '' }
          logger.error("the two feeds of a peer's interest differ", fields)
        }
        this.#reportSoon()
      },
    })
    return comparison
  }

  #dismiss(member: Member): void {
    this.#unwatch(member)
    member.comparison?.stop()
    member.comparison = undefined
  }

  #onRecords(member: Member, records: readonly InterestRecord[]): void {
    for (const { name, value } of joinRecords(records)) {
      const deltas = decodeLog(value)
      if (deltas?.every(delta => isOf(member.peer, delta)) !== true) {
        this.stats.recordsRejected++
        member.comparison?.onGarbage()
        const fields = { peer: member.peer.nodeId, name }
        this.#components.logger.warn("a record of a peer's interest cannot be read", fields)
        continue
      }
      for (const delta of deltas) this.#onRecorded(member, delta)
    }
  }

  #onRecorded(member: Member, delta: InterestDelta): void {
    this.stats.recordedDeltas++
    const { compares, reads } = this.#plan
    if (compares === 'etcd') member.comparison?.onDelta(delta)
    if (reads.includes('etcd')) this.#components.take(member.peer.nodeId, delta)
  }

  #reportSoon(): void {
    if (this.#isReportDue) return
    this.#isReportDue = true
    this.#components.clock.defer(() => {
      this.#isReportDue = false
      if (!this.#isStopped) this.#onProgress(this.#progress())
    })
  }

  #progress(): FeedProgress {
    const { writes, reads, compares } = this.#plan
    const members = [...this.#members.values()]
    const same = members.filter(({ comparison }) => comparison?.verdict === 'same')
    const isWritten = !writes.includes('etcd') || this.#writer?.isWritten === true
    const isRead = !reads.includes('etcd') || members.every(({ isWatched }) => isWatched)
    const isCompared = compares === undefined || same.length === members.length
    return {
      isDone: isWritten && isRead && isCompared,
      compared: same.map(({ peer }) => lifeName(peer.nodeId, peer.incarnation)),
      fault: this.#fault(members),
    }
  }

  #fault(members: readonly Member[]): string | undefined {
    for (const { peer, comparison } of members) {
      if (comparison?.verdict === 'different') {
        return `mismatch: of ${peer.nodeId}, ${comparison.difference ?? ''}`
      }
    }
    return this.#isStoreFull ? 'the coordination store has no room for its subscriptions (quota)' : undefined
  }
}

function uses({ writes, reads }: FeedPlan, mode: 'gossip' | 'etcd'): boolean {
  return writes.includes(mode) || reads.includes(mode)
}

function isOf({ nodeId, incarnation }: PeerAddress, delta: InterestDelta): boolean {
  return delta.nodeId === nodeId && delta.incarnation === incarnation
}
