/**
 * The last interest of nodes that are gone and may return, as far as it is known here (PROTOCOLS section 6, WIRE.md).
 *
 * Keeps it on disk, so that this node knows it after a restart, and has it handed over: to peers that do not know it, and from
 * those that know more. What counts is the life and the sequence: an interest is believed for the life that was the node's last
 * and for no other, and a later sequence replaces an earlier one. Never speaks for a node that lives. Invariant: a node that is gone
 * is known in the index only with the interest of its last life, whole and verified; else it matches everything.
 */
import type { Incarnation, NodeId } from '../src/core/ids.ts'
import type { TopicHasher } from '../src/core/interest-hash.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { PeerTransport } from '../src/core/ports/peer-transport.ts'
import type { RemoteIndex } from '../src/core/ports/routing.ts'
import { GoneInterestRecords } from './gone-interest-records.ts'
import type { GoneInterestStore } from './gone-interest-records.ts'
import { decodeRepairFrame, encodeAbout, encodeDigest, encodePull } from './interest-frame-codec.ts'
import type { InterestPull, InterestSummary, RepairFrame } from './interest-frame-codec.ts'
import { createInterestStats } from './interest-stats.ts'
import type { InterestRepair } from './local-interest.ts'
import { RemoteInterest } from './remote-interest.ts'
import { repairFrames } from './repair-frames.ts'
import type { RepairSender } from './repair-sender.ts'
import type { Segment } from './segment-codec.ts'

/** What a peer began to hand over and did not go on with for so long is taken from another. */
const PATIENCE_MS = 5_000

export interface GoneInterestComponents {
  readonly index: RemoteIndex
  readonly hasher: TopicHasher
  readonly transport: PeerTransport
  readonly sender: RepairSender
  readonly clock: Clock
  readonly logger: Logger
  /** Undefined: nothing survives this process. */
  readonly store: GoneInterestStore | undefined
}

/** Being handed over by a peer. */
interface Taking {
  readonly from: NodeId
  readonly nodeId: NodeId
  readonly remote: RemoteInterest
  progressMs: number
}

export class GoneInterest {
  /** Interests of nodes that are gone: read from disk, handed over by peers and to peers, and unreadable on disk; counts. */
  readonly stats = { restored: 0, taken: 0, given: 0, corrupt: 0 }
  readonly #components: GoneInterestComponents
  readonly #records: GoneInterestRecords
  /** Nodes that are gone → their last life; undefined: not known which. */
  #lives: ReadonlyMap<NodeId, Incarnation | undefined> = new Map()
  /** What is known of nodes that are gone, all of it in the index. */
  readonly #held = new Map<NodeId, InterestSummary>()
  /** One at a time. */
  #taking: Taking | undefined
  #onKnown: () => void = () => undefined

  constructor(components: GoneInterestComponents) {
    this.#components = components
    this.#records = new GoneInterestRecords(components.store, components.logger)
  }

  /** Called when the index knows more than before. */
  onKnown(listener: () => void): void {
    this.#onKnown = listener
  }

  /** Reads what is on disk. Before the first `setGone`. */
  restore(): Promise<void> {
    return this.#records.load()
  }

  /** Says which nodes are gone, each in the index, and which was the last life of each. */
  setGone(lives: ReadonlyMap<NodeId, Incarnation | undefined>): void {
    this.#lives = lives
    for (const [nodeId, { incarnation }] of this.#held) {
      if (!lives.has(nodeId)) this.forget(nodeId)
      else if (!this.#isLast(nodeId, incarnation)) {
        this.forget(nodeId)
        this.#components.index.node(nodeId).setKnown(false)
      }
    }
    for (const nodeId of this.#records.nodes) {
      if (!lives.has(nodeId)) this.#records.delete(nodeId)
      else if (!this.#held.has(nodeId)) this.#restoreOne(nodeId)
    }
  }

  /** A member has left, known in the index as `summary` says. */
  left(nodeId: NodeId, summary: InterestSummary): void {
    if (this.#lives.has(nodeId) && this.#isLast(nodeId, summary.incarnation)) this.#hold(nodeId, summary)
  }

  /** The node is back, or given up. */
  forget(nodeId: NodeId): void {
    this.#held.delete(nodeId)
    this.#records.delete(nodeId)
    if (this.#taking?.nodeId === nodeId) this.#taking = undefined
    this.#components.sender.cancelAbout(nodeId)
  }

  /** Tells a peer what is known here, for it to ask for what it lacks. */
  tell(peer: NodeId): void {
    const { transport } = this.#components
    for (const [nodeId, summary] of this.#held)
      transport.send(peer, 'interest', encodeAbout(nodeId, encodeDigest(summary)))
  }

  /** A link ended. */
  linkDown(peer: NodeId): void {
    if (this.#taking?.from === peer) this.#taking = undefined
  }

  /** A frame of a peer about a node that is gone; a pull has been found within its bounds. Returns what is wrong with it. */
  onFrame(from: NodeId, nodeId: NodeId, frame: RepairFrame): string | undefined {
    if (frame.type === 'pull') {
      const repair = this.#repairOf(nodeId)
      if (repair === undefined) return undefined // it returned meanwhile, or is forgotten
      this.#components.sender.send(from, repair, nodeId)
      this.stats.given++
      return undefined
    }
    if (frame.type === 'digest') return this.#onDigest(from, nodeId, frame)
    const taking = this.#taking
    // What is still on its way when it is no longer wanted.
    if (taking?.from !== from || taking.nodeId !== nodeId) return undefined
    taking.progressMs = this.#components.clock.now()
    const fault = feed(taking.remote, frame)
    if (fault !== undefined) this.#taking = undefined
    else if (taking.remote.summary !== undefined) this.#taken(taking, taking.remote.summary)
    return fault
  }

  #isLast(nodeId: NodeId, incarnation: Incarnation): boolean {
    const last = this.#lives.get(nodeId)
    return last === undefined || last === incarnation
  }

  #onDigest(from: NodeId, nodeId: NodeId, digest: InterestSummary): string | undefined {
    if (!this.#lives.has(nodeId) || !this.#isLast(nodeId, digest.incarnation)) return undefined
    const held = this.#held.get(nodeId)
    if (held !== undefined && held.incarnation >= digest.incarnation && held.sequence >= digest.sequence)
      return undefined
    const nowMs = this.#components.clock.now()
    if (this.#taking !== undefined && nowMs - this.#taking.progressMs < PATIENCE_MS) return undefined
    const { transport } = this.#components
    const remote = this.#reader(nodeId, digest.incarnation, pull =>
      transport.send(from, 'interest', encodeAbout(nodeId, encodePull(pull))),
    )
    this.#held.delete(nodeId) // it matches everything until the later one is whole
    this.#taking = { from, nodeId, remote, progressMs: nowMs }
    return remote.onDigest(digest)
  }

  #taken({ nodeId, from }: Taking, summary: InterestSummary): void {
    this.#taking = undefined
    this.stats.taken++
    this.#components.logger.info('what a node that is gone wants is known from a peer', {
      nodeId,
      peer: from,
    })
    this.#hold(nodeId, summary)
    this.#onKnown()
  }

  #hold(nodeId: NodeId, summary: InterestSummary): void {
    this.#held.set(nodeId, summary)
    const repair = this.#repairOf(nodeId)
    if (repair !== undefined) this.#records.write(nodeId, repairFrames(repair))
  }

  #restoreOne(nodeId: NodeId): void {
    const frames = this.#records.take(nodeId)
    if (frames === undefined) return
    const first = decodeRepairFrame(frames[0] ?? new Uint8Array(0))
    if (first?.type === 'repair-begin' && this.#isLast(nodeId, first.incarnation)) {
      const remote = this.#reader(nodeId, first.incarnation, () => true)
      remote.onDigest(first)
      if (frames.every(bytes => isFed(remote, bytes)) && remote.summary !== undefined) {
        this.stats.restored++
        this.#held.set(nodeId, remote.summary)
        return
      }
      this.stats.corrupt++
      this.#components.logger.warn('what was kept of the interest of a node that is gone cannot be read', {
        nodeId,
      })
    }
    this.#records.delete(nodeId)
  }

  /** Writes into the index what it is fed, which counts when it is whole. */
  #reader(
    nodeId: NodeId,
    incarnation: Incarnation,
    sendPull: (pull: InterestPull) => boolean,
  ): RemoteInterest {
    const { index, hasher, clock, logger } = this.#components
    return new RemoteInterest(
      { nodeId, incarnation },
      {
        ...{ index, hasher, clock, logger, sendPull, stats: createInterestStats() },
        sendApplied: () => true,
        onKnownChanged: () => undefined,
        onApplied: () => undefined,
      },
    )
  }

  #repairOf(nodeId: NodeId): InterestRepair | undefined {
    const summary = this.#held.get(nodeId)
    if (summary === undefined) return undefined
    const node = this.#components.index.node(nodeId)
    const segments: Segment[] = Array.from({ length: node.checksums.length }, (_, index) => ({
      index,
      words: node.segment(index),
    }))
    return { summary, segments, patterns: [...node.patterns] }
  }
}

function isFed(remote: RemoteInterest, bytes: Uint8Array): boolean {
  const frame = decodeRepairFrame(bytes)
  return frame !== undefined && feed(remote, frame) === undefined
}

function feed(remote: RemoteInterest, frame: RepairFrame): string | undefined {
  switch (frame.type) {
    case 'repair-begin':
      return remote.onRepairBegin(frame)
    case 'segments':
      return remote.onSegments(frame.segments)
    case 'patterns':
      return remote.onPatterns(frame.patterns)
    case 'repair-end':
      return remote.onRepairEnd()
    default:
      return 'what is no part of a repair'
  }
}
