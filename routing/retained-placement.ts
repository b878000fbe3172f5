/**
 * Sees to it that the payload of each large retained message is on its two holders, and gets it here when it is needed.
 *
 * Every node has every entry; what it must keep the payload of, it can tell from the topic and the members (RetainedHolders). A
 * holder that lacks one fetches it; who has one and need not gives it up. Messages come by whole, so that a holder usually
 * has what it must; this mends what was missed and follows the members. Invariant: a payload that is here is given up only
 * after both holders said, each after its journal had committed, that they keep it.
 */
import type { NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { Logger } from '../src/core/ports/logger.ts'
import type { Member } from '../src/core/ports/membership.ts'
import type { PeerTransport } from '../src/core/ports/peer-transport.ts'
import type { RetainedEntry, RetainedPayloads, RetainedReplica } from '../src/core/ports/retained.ts'
import type { SessionJournal } from '../src/core/ports/session-journal.ts'
import { isAbsent, isDeletion, payloadBytesOf } from '../src/core/retained-entry.ts'
import { isSame, PayloadCache } from './payload-cache.ts'
import { RetainedFetches, type FetchDone } from './retained-fetches.ts'
import { encodeRetainedFrame, type RetainedFrame, type RetainedVersion } from './retained-frame-codec.ts'
import { RetainedHolders } from './retained-holders.ts'

export interface PlacementComponents {
  readonly transport: PeerTransport
  readonly replica: () => RetainedReplica
  readonly journal: Pick<SessionJournal, 'appended' | 'committed' | 'onCommitted'>
  readonly clock: Clock
  readonly logger: Logger
}

export interface PlacementOptions {
  readonly nodeId: NodeId
  readonly cluster: string
  /** Larger payloads are on two nodes only. */
  readonly inlineBytesMax: number
  readonly intervalMs: number
}

export class RetainedPlacement implements RetainedPayloads {
  readonly fetches: RetainedFetches
  readonly cache = new PayloadCache(limits.retainedCacheBytesMax)
  readonly #components: PlacementComponents
  readonly #options: PlacementOptions
  readonly #holders: RetainedHolders
  /** Topics whose payload is here and need not be, or the reverse. */
  readonly #misplaced = new Set<string>()
  /** Of those that need not be here: the one holder that said it keeps it. */
  readonly #confirmedBy = new Map<string, NodeId>()
  /** Answers to offers, which leave once the journal has committed that far. */
  #confirmations: { readonly to: NodeId; readonly frame: Uint8Array; readonly sequence: number }[] = []
  #timer: Timer | undefined
  /** When the members last changed, if all entries are to be looked at for that. */
  #membersChangedMs: number | undefined
  #bucket: number | undefined
  #round: Iterator<string, undefined> | undefined
  #roundBegunMs = 0
  /** Something was mended in this round. */
  #hasGained = false
  #nextRoundMs = 0
  #repairs = 0
  #isWaitingForRepairs = false

  constructor(components: PlacementComponents, options: PlacementOptions) {
    this.#components = components
    this.#options = options
    this.#holders = new RetainedHolders(options.nodeId, options.cluster)
    this.fetches = new RetainedFetches(components, topic =>
      this.#holders.ranked(topic).filter(nodeId => nodeId !== options.nodeId),
    )
    components.journal.onCommitted(() => this.#confirm())
    components.transport.addPeerListener({
      onPeerUp: () => undefined,
      onPeerDown: ({ nodeId }) => this.fetches.linkDown(nodeId),
    })
  }

  start(): void {
    this.#timer = this.#components.clock.repeat(this.#options.intervalMs, () => this.#lookAgain())
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.fetches.stop()
  }

  /** Payloads that are not where they should be, as far as this node is concerned. */
  get misplacedCount(): number {
    return this.#misplaced.size
  }

  /** Replaces the members, self included. Who drains gives up what it keeps. */
  setMembers(members: readonly Pick<Member, 'nodeId' | 'state'>[]): void {
    const staying = members.filter(({ state }) => state !== 'draining')
    const chosen = staying.length > 0 ? staying : members
    if (!this.#holders.setNodes(chosen.map(({ nodeId }) => nodeId))) return
    this.#confirmedBy.clear()
    this.#membersChangedMs = this.#components.clock.now()
    this.#nextRoundMs = 0
    this.#bucket = undefined
  }

  /** Whether other nodes are told of the entry without its payload. */
  isLarge(entry: RetainedEntry): boolean {
    return payloadBytesOf(entry) > this.#options.inlineBytesMax
  }

  keepsHere(topic: string, payloadBytes: number): boolean {
    return payloadBytes <= this.#options.inlineBytesMax || this.#holders.isHolder(topic)
  }

  changed(entry: RetainedEntry): void {
    const { topic } = entry
    this.#confirmedBy.delete(topic)
    this.cache.delete(topic)
    if (this.#isMisplaced(entry)) this.#misplaced.add(topic)
    else this.#misplaced.delete(topic)
  }

  passing({ topic, stamp, payload }: RetainedEntry): void {
    this.cache.set(topic, stamp, payload)
  }

  fetch(entry: RetainedEntry, done: FetchDone): void {
    const { topic, stamp } = entry
    const cached = this.cache.get(topic, stamp)
    if (cached !== undefined) {
      done(cached)
      return
    }
    this.fetches.fetch(entry, true, payload => {
      if (payload !== undefined) this.cache.set(topic, stamp, payload)
      done(payload)
    })
  }

  /** A frame of the "retained" channel that is about payloads. False when it makes no sense. */
  handle(from: NodeId, frame: PayloadFrame): boolean {
    switch (frame.type) {
      case 'fetch':
        this.#answer(from, frame)
        return true
      case 'payload':
        return this.fetches.answered(from, frame.topic, frame.stamp, frame.payload)
      case 'offer':
        if (frame.versions.length > VERSIONS_PER_OFFER) return false
        this.#onOffer(from, frame.versions)
        return true
      case 'held':
        if (frame.versions.length > VERSIONS_PER_OFFER) return false
        this.#onHeld(from, frame.versions)
        return true
    }
  }

  /** What a full queue has no room for is not sent: who asked asks another node. */
  #answer(to: NodeId, { topic, stamp }: RetainedVersion): void {
    const entry = this.#components.replica().entryOf(topic)
    const isHere = entry !== undefined && isSame(entry.stamp, stamp) && !isAbsent(entry) && !isDeletion(entry)
    const payload = isHere ? entry.payload : this.cache.get(topic, stamp)
    const answer = encodeRetainedFrame({ type: 'payload', topic, stamp, payload })
    this.#components.transport.send(to, 'retained', answer)
  }

  /** Another node asks which of these this one keeps, so that it need not. */
  #onOffer(from: NodeId, offered: readonly RetainedVersion[]): void {
    const versions = offered.filter(({ topic, stamp }) => {
      const entry = this.#components.replica().entryOf(topic)
      const isHere = entry !== undefined && isSame(entry.stamp, stamp) && !isAbsent(entry)
      return isHere && this.keepsHere(topic, payloadBytesOf(entry))
    })
    if (versions.length === 0) return
    const frame = encodeRetainedFrame({ type: 'held', versions })
    this.#confirmations.push({ to: from, frame, sequence: this.#components.journal.appended })
    this.#confirm()
  }

  #confirm(): void {
    const { transport, journal } = this.#components
    if (this.#confirmations.length === 0) return
    const { committed } = journal
    for (const { to, frame, sequence } of this.#confirmations) {
      if (sequence <= committed) transport.send(to, 'retained', frame)
    }
    this.#confirmations = this.#confirmations.filter(({ sequence }) => sequence > committed)
  }

  #onHeld(from: NodeId, versions: readonly RetainedVersion[]): void {
    const replica = this.#components.replica()
    for (const { topic, stamp } of versions) {
      const entry = replica.entryOf(topic)
      const isSurplus = entry !== undefined && isSame(entry.stamp, stamp) && this.#isSurplus(entry)
      if (!isSurplus || !this.#holders.of(topic).includes(from)) continue
      const other = this.#confirmedBy.get(topic)
      if (other === undefined || other === from) this.#confirmedBy.set(topic, from)
      else replica.release(topic, stamp)
    }
  }

  #isMisplaced(entry: RetainedEntry): boolean {
    return isAbsent(entry) ? this.keepsHere(entry.topic, entry.absentBytes) : this.#isSurplus(entry)
  }

  #isSurplus(entry: RetainedEntry): boolean {
    return !isAbsent(entry) && !isDeletion(entry) && !this.keepsHere(entry.topic, entry.payload.length)
  }

  #lookAgain(): void {
    const { clock } = this.#components
    // A node that restarts is back soon: what it keeps is not copied for that.
    if (
      this.#membersChangedMs !== undefined &&
      clock.now() - this.#membersChangedMs >= limits.retainedSettleMs
    ) {
      this.#membersChangedMs = undefined
      this.#bucket = 0
      this.#lookAtBuckets()
    }
    if (this.#round !== undefined || clock.now() < this.#nextRoundMs) return
    this.#round = this.#misplaced.values()
    this.#roundBegunMs = clock.now()
    this.#hasGained = false
    this.#goOn()
  }

  /** After the members have changed every entry is looked at, a part of them per turn. */
  #lookAtBuckets(): void {
    const replica = this.#components.replica()
    let looked = 0
    while (this.#bucket !== undefined && looked < ENTRIES_PER_TURN) {
      for (const topic of replica.topicsOf(this.#bucket)) {
        looked++
        const entry = replica.entryOf(topic)
        if (entry !== undefined && this.#isMisplaced(entry)) this.#misplaced.add(topic)
      }
      this.#bucket = this.#bucket + 1 < replica.bucketCount ? this.#bucket + 1 : undefined
    }
    if (this.#bucket !== undefined) this.#later(() => this.#lookAtBuckets())
  }

  /** Goes on with a round over what is misplaced: fetches what is lacking, offers what is too much. */
  #goOn(): void {
    const replica = this.#components.replica()
    const offers = new Map<NodeId, RetainedVersion[]>()
    for (let looked = 0; this.#round !== undefined && looked < ENTRIES_PER_TURN; looked++) {
      if (this.#repairs >= REPAIRS_MAX) {
        this.#isWaitingForRepairs = true
        break
      }
      const next = this.#round.next()
      if (next.done === true) {
        this.#endRound()
        break
      }
      const topic = next.value
      const entry = replica.entryOf(topic)
      if (entry === undefined || !this.#isMisplaced(entry)) {
        this.#misplaced.delete(topic)
        this.#confirmedBy.delete(topic)
      } else if (isAbsent(entry)) this.#repair(entry)
      else this.#offer(offers, entry)
    }
    for (const [nodeId, versions] of offers) this.#sendOffer(nodeId, versions)
    if (this.#round !== undefined && !this.#isWaitingForRepairs) this.#later(() => this.#goOn())
  }

  /** Looking in vain for what is on nodes that are gone must not keep the others busy. */
  #endRound(): void {
    this.#round = undefined
    if (this.#hasGained) return
    const nowMs = this.#components.clock.now()
    this.#nextRoundMs = nowMs + Math.min(IN_VAIN_FACTOR * (nowMs - this.#roundBegunMs), IN_VAIN_MS_MAX)
  }

  #repair(entry: RetainedEntry): void {
    const { topic, stamp } = entry
    const settle = (payload: Uint8Array | undefined): void => {
      this.#repairs--
      if (payload !== undefined && this.#components.replica().hold(topic, stamp, payload))
        this.#hasGained = true
      if (!this.#isWaitingForRepairs) return
      this.#isWaitingForRepairs = false
      this.#later(() => this.#goOn())
    }
    this.#repairs++
    const cached = this.cache.get(topic, stamp)
    if (cached === undefined) this.fetches.fetch(entry, false, settle)
    else settle(cached)
  }

  #offer(offers: Map<NodeId, RetainedVersion[]>, { topic, stamp }: RetainedEntry): void {
    for (const nodeId of this.#holders.of(topic)) {
      if (this.#confirmedBy.get(topic) === nodeId) continue
      const versions = offers.get(nodeId)
      if (versions === undefined) offers.set(nodeId, [{ topic, stamp }])
      else if (versions.push({ topic, stamp }) >= VERSIONS_PER_OFFER) {
        this.#sendOffer(nodeId, versions)
        offers.delete(nodeId)
      }
    }
  }

  #sendOffer(nodeId: NodeId, versions: readonly RetainedVersion[]): void {
    this.#components.transport.send(nodeId, 'retained', encodeRetainedFrame({ type: 'offer', versions }))
  }

  #later(task: () => void): void {
    this.#components.clock.schedule(PAUSE_MS, () => {
      if (this.#timer !== undefined) task()
    })
  }
}

type PayloadFrame = Extract<RetainedFrame, { readonly type: 'fetch' | 'payload' | 'offer' | 'held' }>

/** Entries looked at in one turn, and the pause to the next. */
const ENTRIES_PER_TURN = 2000
const PAUSE_MS = 5
/** After a round that mended nothing the next one waits so many times as long as it took, up to a bound. */
const IN_VAIN_FACTOR = 10
const IN_VAIN_MS_MAX = 300_000
/** Fetches under way for this node as a holder; subscribers' come on top. */
const REPAIRS_MAX = 32
const VERSIONS_PER_OFFER = 256
