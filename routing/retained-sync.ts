/**
 * Keeps this node's copy of the retained messages equal to the other members' (PROTOCOLS section 9).
 *
 * Changes travel with the messages themselves, which go to every node; what that misses (QoS 0 to a peer without a link, a node
 * that was away, one that is new) is found here by comparing: checksums every interval, then those of buckets, then the
 * versions in the buckets that differ; whoever has the older entry gets the newer, of large ones without payload: these are
 * RetainedPlacement's. A *pass* is one such comparison, asked for by
 * the node that noticed; it ends when all it brings has arrived. It decides nothing about which entry wins: the replica does.
 * Invariant: everything sent for a pass goes through a pump, so that a whole copy never waits in memory.
 */
import type { NodeId } from '../src/core/ids.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { Member } from '../src/core/ports/membership.ts'
import type { PeerAddress, PeerTransport } from '../src/core/ports/peer-transport.ts'
import type { RetainedEntry, RetainedReplica } from '../src/core/ports/retained.ts'
import { STAMP_AHEAD_MS_MAX } from '../src/core/hybrid-clock.ts'
import { limits } from '../src/core/limits.ts'
import { RateLimit } from '../src/core/rate-limit.ts'
import { payloadBytesOf, withoutPayload } from '../src/core/retained-entry.ts'
import { decodePublish, encodePublish, stampPublish } from './forward-codec.ts'
import { FramePump } from './frame-pump.ts'
import {
  decodeRetainedFrame,
  encodeRetainedFrame,
  type RetainedFrame,
  type RetainedVersion,
} from './retained-frame-codec.ts'
import type { RetainedPlacement } from './retained-placement.ts'

export interface RetainedSyncStats {
  /** Comparisons this node asked for because checksums differed. */
  passes: number
  /** Entries that a comparison brought here and that were newer. */
  repaired: number
  /** Malformed frames. */
  rejected: number
  /** Links closed because a member asked for more than its share, or did not read what it had asked for. */
  flooded: number
}

interface Peer {
  readonly incarnation: number
  readonly pump: FramePump
  /** Passes it asks for, and those asked of it: at half the rate, so that no node is ever taken for one that floods. */
  readonly passes: RateLimit
  readonly asked: RateLimit
  /** It is being told of the buckets that differ. */
  isAnswering: boolean
  isLinkUp: boolean
  /** Its copy was found equal to this one, or everything newer in it has arrived, since the link came up. */
  isCompared: boolean
  /** When the pass asked of it last got something; undefined: none is under way. */
  passProgressMs: number | undefined
  /** Topics it has named of the bucket it is telling of. */
  readonly named: Set<string>
  /** How far this node's clock is ahead of its, as it said; 0 = it did not complain. */
  clockAheadMs: number
  complaintAtMs: number
}

/** Buckets compared entry by entry in one pass; the rest follows in the next. */
const BUCKETS_PER_PASS = 1024
const FRAME_BYTES = 32 * 1024
/** A pass that got nothing for so long is given up; the next digest begins another. */
const PASS_PATIENCE_MS = 10_000
/** A complaint about this node's clock is forgotten after so many digests without another. */
const COMPLAINT_DIGESTS = 3

export class RetainedSync {
  readonly stats: RetainedSyncStats = { passes: 0, repaired: 0, rejected: 0, flooded: 0 }
  readonly #transport: PeerTransport
  readonly #replica: RetainedReplica
  readonly #placement: Pick<RetainedPlacement, 'isLarge' | 'handle'>
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #digestIntervalMs: number
  readonly #peers = new Map<NodeId, Peer>()
  readonly #links = new Map<NodeId, number>()
  readonly #listeners: (() => void)[] = []
  #timer: Timer | undefined

  constructor(
    components: {
      transport: PeerTransport
      replica: RetainedReplica
      placement: Pick<RetainedPlacement, 'isLarge' | 'handle'>
      clock: Clock
      logger: Logger
    },
    options: { readonly digestIntervalMs: number },
  ) {
    const { transport } = components
    this.#transport = transport
    this.#replica = components.replica
    this.#placement = components.placement
    this.#clock = components.clock
    this.#logger = components.logger
    this.#digestIntervalMs = options.digestIntervalMs
    transport.onFrame('retained', (from, frame) => this.#onFrame(from, frame))
    transport.onDrain((nodeId, channel) => {
      if (channel === 'retained') this.#peers.get(nodeId)?.pump.pump()
    })
    transport.addPeerListener({
      onPeerUp: peer => this.#onPeerUp(peer),
      onPeerDown: peer => this.#onPeerDown(peer),
    })
  }

  start(): void {
    this.#timer = this.#clock.repeat(this.#digestIntervalMs, () => {
      for (const [nodeId, { isLinkUp }] of this.#peers) if (isLinkUp) this.#sendDigest(nodeId)
    })
  }

  stop(): void {
    this.#timer?.cancel()
    for (const { pump } of this.#peers.values()) pump.clear()
  }

  /** Replaces the peers, self left out. */
  setMembers(members: readonly Member[]): void {
    const wanted = new Map(members.map(member => [member.nodeId, member]))
    for (const [nodeId, peer] of this.#peers) {
      if (wanted.get(nodeId)?.incarnation === peer.incarnation) continue
      peer.pump.clear()
      this.#peers.delete(nodeId)
    }
    for (const { nodeId, incarnation } of members) {
      if (this.#peers.has(nodeId)) continue
      const pump = new FramePump(this.#transport, nodeId, 'retained')
      const isLinkUp = this.#links.get(nodeId) === incarnation
      const { retainedPassesPerSecondMax: perSecond, retainedPassesBurstMax: burst } = limits
      const passes = new RateLimit(this.#clock, perSecond, burst)
      const asked = new RateLimit(this.#clock, perSecond / 2, burst / 2)
      const fresh = { passes, asked, isAnswering: false, isCompared: false, passProgressMs: undefined }
      const named = new Set<string>()
      this.#peers.set(nodeId, {
        ...{ incarnation, pump, isLinkUp, named },
        ...fresh,
        ...{ clockAheadMs: 0, complaintAtMs: 0 },
      })
      if (isLinkUp) this.#sendDigest(nodeId)
    }
    this.#changed()
  }

  /** Whether this copy has been compared with that of some peer, or there is none. */
  get isSynchronized(): boolean {
    return this.#peers.size === 0 || [...this.#peers.values()].some(({ isCompared }) => isCompared)
  }

  onSynchronizedChanged(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** Peers whose clock is so far behind this node's that they refuse its stamps, with the difference in ms. */
  get clockComplaints(): readonly { readonly nodeId: NodeId; readonly aheadMs: number }[] {
    const oldestMs = this.#clock.now() - COMPLAINT_DIGESTS * this.#digestIntervalMs
    return [...this.#peers]
      .filter(([, peer]) => peer.clockAheadMs > 0 && peer.complaintAtMs >= oldestMs)
      .map(([nodeId, { clockAheadMs }]) => ({ nodeId, aheadMs: clockAheadMs }))
  }

  #onPeerUp({ nodeId, incarnation }: PeerAddress): void {
    this.#links.set(nodeId, incarnation)
    const peer = this.#peers.get(nodeId)
    if (peer?.incarnation !== incarnation) return
    peer.isLinkUp = true
    this.#sendDigest(nodeId)
  }

  #onPeerDown({ nodeId, incarnation }: PeerAddress): void {
    if (this.#links.get(nodeId) === incarnation) this.#links.delete(nodeId)
    const peer = this.#peers.get(nodeId)
    if (peer?.incarnation !== incarnation) return
    peer.isLinkUp = peer.isCompared = peer.isAnswering = false
    peer.passProgressMs = undefined
    peer.pump.clear()
  }

  #sendDigest(nodeId: NodeId): void {
    const { checksum, entryCount: count } = this.#replica
    const frame = encodeRetainedFrame({ type: 'digest', checksum, count, wallMs: this.#clock.wallNow() })
    this.#transport.send(nodeId, 'retained', frame)
  }

  #onFrame(from: PeerAddress, bytes: Uint8Array): void {
    const peer = this.#peers.get(from.nodeId)
    if (peer === undefined || peer.incarnation !== from.incarnation) return
    const frame = decodeRetainedFrame(bytes)
    if (frame?.type === 'buckets' && !peer.passes.take(1)) {
      this.#flooded(from.nodeId, 'it asked for more comparisons of retained messages than one member may')
    } else if (frame === undefined || !this.#handle(from.nodeId, peer, frame, bytes.length)) {
      this.stats.rejected++
      this.#transport.disconnect(from.nodeId, 'malformed retained frame')
    } else if (peer.pump.heldBytes > limits.retainedAskedBytesMax) {
      this.#flooded(from.nodeId, 'it did not read the retained messages it had asked for')
    }
  }

  #flooded(nodeId: NodeId, reason: string): void {
    this.stats.flooded++
    this.#transport.disconnect(nodeId, reason)
  }

  /** False when the frame makes no sense. */
  #handle(nodeId: NodeId, peer: Peer, frame: RetainedFrame, byteCount: number): boolean {
    switch (frame.type) {
      case 'digest':
        this.#onDigest(nodeId, peer, frame.checksum, frame.wallMs)
        return true
      case 'buckets':
        if (frame.checksums.length !== this.#replica.bucketCount) return false
        // One answer at a time: who asks again before its end gets what differs then in the next pass.
        if (peer.isAnswering) return true
        peer.isAnswering = true
        peer.pump.add(this.#answerBuckets(peer, frame.checksums), byteCount)
        return true
      case 'have':
        return this.#onHave(peer, frame.bucket, frame.isLast, frame.versions)
      case 'want':
        peer.pump.add(this.#entries(frame.topics), byteCount)
        return true
      case 'entry':
        return this.#onEntry(peer, frame.publish)
      case 'large':
        return this.#onEntry(peer, frame.publish, frame.payloadBytes)
      case 'mark':
        this.#onMark(nodeId, peer, frame.step)
        return true
      case 'clock':
        peer.clockAheadMs = frame.aheadMs
        peer.complaintAtMs = this.#clock.now()
        return true
      default:
        return this.#placement.handle(nodeId, frame)
    }
  }

  #onDigest(nodeId: NodeId, peer: Peer, checksum: number, wallMs: number): void {
    // It was on its way for a while, so the difference is at least this.
    const aheadMs = wallMs - this.#clock.wallNow()
    if (aheadMs > STAMP_AHEAD_MS_MAX) {
      this.#transport.send(nodeId, 'retained', encodeRetainedFrame({ type: 'clock', aheadMs }))
    }
    if (checksum === this.#replica.checksum) {
      this.#setCompared(peer)
      return
    }
    const nowMs = this.#clock.now()
    if (peer.passProgressMs !== undefined && nowMs - peer.passProgressMs < PASS_PATIENCE_MS) return
    this.#beginPass(nodeId, peer)
  }

  #beginPass(nodeId: NodeId, peer: Peer): void {
    peer.passProgressMs = undefined
    if (!peer.asked.take(1)) return // the next digest begins another
    const { bucketCount } = this.#replica
    const checksums = Uint32Array.from({ length: bucketCount }, (_, bucket) =>
      this.#replica.checksumOf(bucket),
    )
    if (!this.#transport.send(nodeId, 'retained', encodeRetainedFrame({ type: 'buckets', checksums }))) return
    peer.passProgressMs = this.#clock.now()
    peer.named.clear()
    this.stats.passes++
  }

  /** What the other side of a pass has in the buckets that differ. */
  *#answerBuckets(peer: Peer, theirs: Uint32Array): Iterable<Uint8Array> {
    let compared = 0
    for (let bucket = 0; bucket < theirs.length; bucket++) {
      if (theirs[bucket] === this.#replica.checksumOf(bucket)) continue
      if (compared++ === BUCKETS_PER_PASS) {
        peer.isAnswering = false
        yield encodeRetainedFrame({ type: 'mark', step: STEP_TOLD_SOME })
        return
      }
      let versions: RetainedVersion[] = []
      let byteCount = 0
      for (const topic of this.#replica.topicsOf(bucket)) {
        const entry = this.#replica.entryOf(topic)
        if (entry === undefined) continue
        versions.push({ topic, stamp: entry.stamp })
        byteCount += topic.length * 3 + 18
        if (byteCount < FRAME_BYTES) continue
        yield encodeRetainedFrame({ type: 'have', bucket, isLast: false, versions })
        versions = []
        byteCount = 0
      }
      yield encodeRetainedFrame({ type: 'have', bucket, isLast: true, versions })
    }
    peer.isAnswering = false
    yield encodeRetainedFrame({ type: 'mark', step: STEP_TOLD_ALL })
  }

  #onHave(peer: Peer, bucket: number, isLast: boolean, versions: readonly RetainedVersion[]): boolean {
    if (peer.passProgressMs === undefined || bucket >= this.#replica.bucketCount) return false
    peer.passProgressMs = this.#clock.now()
    const wanted: string[] = []
    const newerHere: string[] = []
    for (const { topic, stamp } of versions) {
      peer.named.add(topic)
      const mine = this.#replica.entryOf(topic)?.stamp
      const difference = mine ? stamp.time - mine.time || stamp.incarnation - mine.incarnation : 1
      if (difference > 0) wanted.push(topic)
      else if (difference < 0) newerHere.push(topic)
    }
    if (isLast) {
      for (const topic of this.#replica.topicsOf(bucket)) if (!peer.named.has(topic)) newerHere.push(topic)
      peer.named.clear()
    }
    if (wanted.length > 0) {
      const frame = encodeRetainedFrame({ type: 'want', topics: wanted })
      peer.pump.add([frame], frame.length)
    }
    if (newerHere.length > 0) peer.pump.add(this.#entries(newerHere), sizeOf(newerHere))
    return true
  }

  *#entries(topics: readonly string[]): Iterable<Uint8Array> {
    for (const topic of topics) {
      const entry = this.#replica.entryOf(topic)
      if (entry === undefined) continue
      const { expiresAtMs } = entry
      const remainingMs = expiresAtMs === undefined ? 0 : expiresAtMs - this.#clock.wallNow()
      if (remainingMs < 0) continue
      const isLarge = this.#placement.isLarge(entry)
      const publish = encodePublish(isLarge ? withoutPayload(entry) : entry)
      // Nothing is numbered here; a frame at QoS ≥ 1 has some sequence.
      stampPublish(publish, entry.qos === 0 ? 0 : 1, Math.floor(remainingMs))
      yield encodeRetainedFrame(
        isLarge
          ? { type: 'large', payloadBytes: payloadBytesOf(entry), publish }
          : { type: 'entry', publish },
      )
    }
  }

  /** `payloadBytes`: how large the payload is that did not come along. */
  #onEntry(peer: Peer, publish: Uint8Array, payloadBytes?: number): boolean {
    if (peer.passProgressMs !== undefined) peer.passProgressMs = this.#clock.now()
    const publication = decodePublish(publish, this.#clock.wallNow())?.publication
    if (publication?.stamp === undefined) return false
    const { stamp } = publication
    let entry: RetainedEntry = { ...publication, stamp }
    if (payloadBytes !== undefined) {
      const isPossible = payloadBytes > 0 && payloadBytes <= limits.packetBytesMax
      if (!isPossible || publication.payload.length > 0) return false
      entry = { ...entry, absentBytes: payloadBytes }
    }
    if (this.#replica.apply(entry)) this.stats.repaired++
    return true
  }

  /** The steps of a pass's end: it told of (all of) its buckets → asked whether all has been sent → it has. */
  #onMark(nodeId: NodeId, peer: Peer, step: number): void {
    if (step === STEP_ARE_YOU_DONE) {
      peer.pump.add([encodeRetainedFrame({ type: 'mark', step: STEP_DONE })])
    } else if (step === STEP_TOLD_ALL && peer.passProgressMs !== undefined) {
      peer.pump.add([encodeRetainedFrame({ type: 'mark', step: STEP_ARE_YOU_DONE })])
    } else if (step === STEP_TOLD_SOME) {
      this.#beginPass(nodeId, peer)
    } else if (step === STEP_DONE && peer.passProgressMs !== undefined) {
      peer.passProgressMs = undefined
      this.#logger.debug('retained messages compared', { peer: nodeId })
      this.#setCompared(peer)
    }
  }

  #setCompared(peer: Peer): void {
    if (peer.isCompared) return
    peer.isCompared = true
    this.#changed()
  }

  #changed(): void {
    for (const listener of this.#listeners) listener()
  }
}

/** About the bytes of a list of topics that are in memory anyway. */
function sizeOf(topics: readonly string[]): number {
  return 8 * topics.length
}

const STEP_TOLD_ALL = 1
const STEP_TOLD_SOME = 2
const STEP_ARE_YOU_DONE = 3
const STEP_DONE = 4
