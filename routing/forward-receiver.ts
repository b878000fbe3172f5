/**
 * The receiving end of forwarding: delivers what peers send, each sequence once, and tells them what is accepted.
 *
 * It numbers nothing and keeps nothing for sending. Invariant: a publication is accepted only after the journal has
 * committed what its delivery appended.
 */
import type { Incarnation, NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import type { PlainPacketReader } from '../src/core/ports/plain-packet-reader.ts'
import type { PeerTransport } from '../src/core/ports/peer-transport.ts'
import type { RetainedSink } from '../src/core/ports/retained.ts'
import type { Debt } from '../src/core/ports/routing.ts'
import type { SessionJournal } from '../src/core/ports/session-journal.ts'
import {
  decodePublish,
  encodePosition,
  expires,
  frameKind,
  PACKETS_OFFSET,
  stampPublish,
  traceContextOf,
  type ForwardedPublish,
} from './forward-codec.ts'
import { IncomingForwards } from './incoming-forwards.ts'
import type { LocalRouter } from './local-router.ts'

export interface ReceiverComponents {
  /** Whether that node knows this node's interest. Without it, all do. */
  readonly isKnownTo?: (nodeId: NodeId) => boolean
  readonly transport: Pick<PeerTransport, 'send'>
  readonly local: LocalRouter
  readonly packets: PlainPacketReader
  readonly retained: RetainedSink
  readonly journal: Pick<SessionJournal, 'appended' | 'committed'>
  readonly clock: Clock
}

export interface ReceiverStats {
  /** Publications from peers, duplicates excluded. */
  received: number
  /** QoS ≥ 1 received again after a link was lost, not delivered again. */
  duplicates: number
  /** From peers, expired on arrival. */
  expired: number
  /** For a shared subscription that had no member here any more. */
  refused: number
  /** Matched nobody here, though the sender knows this node's interest: false positives, and what was just unsubscribed. */
  unmatched: number
  /** Matched nobody here, from a sender that does not know this node's interest yet. */
  unmatchedUnknown: number
}

/** No node's incarnation: its ids are others', and looked up. */
const NOBODY: Incarnation = 0

interface Sender {
  readonly incoming: IncomingForwards
  /** RESUME was sent on the present link. */
  isGreeted: boolean
  /** Sequences of publications for shared subscriptions that have no member here; the oldest are forgotten. */
  readonly refused: Set<number>
  /** Those of them that the peer was not told of on the present link. */
  untold: number[]
  /** `incoming.accepted` as last told to the peer on this link. */
  toldAccepted: number
}

export class ForwardReceiver {
  readonly stats: ReceiverStats = {
    received: 0,
    duplicates: 0,
    expired: 0,
    refused: 0,
    unmatched: 0,
    unmatchedUnknown: 0,
  }
  readonly #components: ReceiverComponents
  readonly #senders = new Map<NodeId, Sender>()
  #isAcceptDue = false

  constructor(components: ReceiverComponents) {
    this.#components = components
  }

  /** Says how much of this incarnation's publications is accepted, once per link. */
  greet(nodeId: NodeId, incarnation: Incarnation): void {
    let sender = this.#senders.get(nodeId)
    if (sender?.incoming.incarnation !== incarnation) {
      sender = {
        incoming: new IncomingForwards(incarnation),
        isGreeted: false,
        toldAccepted: 0,
        refused: new Set(),
        untold: [],
      }
      this.#senders.set(nodeId, sender)
    }
    if (sender.isGreeted) return
    // Before RESUME, after which the peer knows them no more.
    sender.untold = [...sender.refused]
    if (!this.#tellRefused(nodeId, sender)) return
    const { accepted } = sender.incoming
    const frame = encodePosition(frameKind.resume, accepted)
    if (!this.#components.transport.send(nodeId, 'forward', frame)) return
    sender.isGreeted = true
    sender.toldAccepted = accepted
  }

  linkDown(nodeId: NodeId, incarnation: Incarnation): void {
    const sender = this.#senders.get(nodeId)
    if (sender?.incoming.incarnation === incarnation) sender.isGreeted = false
  }

  /** A PUBLISH frame of a peer that was greeted. False when it is malformed. */
  take(nodeId: NodeId, frame: Uint8Array): boolean {
    const { clock, journal } = this.#components
    const nowMs = expires(frame) ? clock.wallNow() : 0
    const decoded = decodePublish(frame, nowMs)
    const sender = this.#senders.get(nodeId)
    if (decoded === undefined || sender === undefined) return false
    const { incoming } = sender
    const { sequence, publication } = decoded
    if (sequence > 0 && !incoming.isNew(sequence)) {
      this.stats.duplicates++
      return true
    }
    this.stats.received++
    const isExpired = publication.expiresAtMs !== undefined && publication.expiresAtMs <= nowMs
    if (isExpired) this.stats.expired++
    const { local } = this.#components
    local.sender = nodeId
    const storeSequence = this.#isTraced(frame)
      ? this.#deliverTraced(nodeId, frame, decoded, incoming.incarnation, isExpired)
      : isExpired
        ? 0
        : this.#deliver(nodeId, decoded, incoming.incarnation)
    local.sender = undefined
    if (sequence === 0) return true
    if (storeSequence === undefined) this.#refuse(sender, sequence)
    incoming.delivered(sequence, storeSequence ?? 0, journal.committed)
    this.#scheduleAccept()
    return true
  }

  /** A frame of packets of a peer that was greeted. False when one is malformed; those before it are delivered. */
  takePackets(nodeId: NodeId, frame: Uint8Array): boolean {
    const { packets, local } = this.#components
    if (!this.#senders.has(nodeId)) return false
    const isVersion5 = frame[0] === frameKind.packets5
    let at = PACKETS_OFFSET
    do {
      const publication = packets.read(frame, at, isVersion5)
      if (publication === undefined) return false
      this.stats.received++
      local.deliverOrdinary(publication)
      if (local.matchCount === 0) this.#countUnmatched(nodeId)
      at = publication.packet.end
    } while (at < frame.length)
    return true
  }

  /** What another node owes this one, and its publisher has brought along. Answers the journal sequence to be committed. */
  takeDebt({ frame, expiresAtMs }: Debt): number {
    const { clock, local, retained, journal } = this.#components
    stampPublish(frame, 1, 0)
    const publication = decodePublish(frame, 0)?.publication
    if (publication?.id === undefined) return 0
    if (expiresAtMs !== undefined && expiresAtMs <= clock.wallNow()) {
      this.stats.expired++
      return 0
    }
    const { id, stamp } = publication
    const isRetained = stamp !== undefined && retained.apply({ ...publication, expiresAtMs, stamp })
    const storeSequence = local.deliverOnce({ ...publication, expiresAtMs }, id, NOBODY)
    return isRetained ? journal.appended : storeSequence
  }

  #isTraced(frame: Uint8Array): boolean {
    return frame[0] === frameKind.tracedPublish && this.#components.local.point.tracer !== undefined
  }

  /** As `#deliver`, telling the tracer, which may not want it. */
  #deliverTraced(
    nodeId: NodeId,
    frame: Uint8Array,
    decoded: ForwardedPublish,
    sender: Incarnation,
    isExpired: boolean,
  ): number | undefined {
    const { tracer } = this.#components.local.point
    const context = traceContextOf(frame)
    const { publication, sequence } = decoded
    const traced = context && tracer?.received(context, nodeId, sequence, publication)
    if (isExpired) {
      traced?.span.event('expired')
      if (sequence === 0) traced?.span.end()
      return 0
    }
    if (tracer === undefined || traced === undefined) return this.#deliver(nodeId, decoded, sender)
    const storeSequence = tracer.during(traced, () => this.#deliver(nodeId, decoded, sender))
    if (storeSequence === undefined) traced.span.event('refused')
    if (sequence === 0) traced.span.end()
    return storeSequence
  }

  /** Undefined: it was for a shared subscription that has no member here. */
  #deliver(
    nodeId: NodeId,
    { publication, target }: ForwardedPublish,
    sender: Incarnation,
  ): number | undefined {
    const { local, retained, journal } = this.#components
    if (target !== undefined) return local.deliverToGroup(publication, target, sender)
    const { id, stamp } = publication
    // Before it is delivered: who subscribes from now on finds it retained, who has subscribed gets it now.
    const isRetained = stamp !== undefined && retained.apply({ ...publication, stamp })
    const storeSequence =
      id === undefined ? local.deliverOrdinary(publication) : local.deliverOnce(publication, id, sender)
    if (local.matchCount === 0 && stamp === undefined) this.#countUnmatched(nodeId)
    return isRetained ? journal.appended : storeSequence
  }

  /** The sender holds this node's interest as it was a moment ago, or does not know it. */
  #countUnmatched(nodeId: NodeId): void {
    if (this.#components.isKnownTo?.(nodeId) === false) this.stats.unmatchedUnknown++
    else this.stats.unmatched++
  }

  #refuse({ refused, untold }: Sender, sequence: number): void {
    this.stats.refused++
    untold.push(sequence)
    refused.add(sequence)
    if (refused.size <= limits.refusalsMax) return
    for (const oldest of refused) {
      refused.delete(oldest)
      break
    }
  }

  /** False when the queue to the peer is full; then they are told when it has drained, before anything is accepted. */
  #tellRefused(nodeId: NodeId, sender: Sender): boolean {
    const { transport } = this.#components
    while (sender.untold.length > 0) {
      const sequence = sender.untold[0] as number
      if (!transport.send(nodeId, 'forward', encodePosition(frameKind.refuse, sequence))) return false
      sender.untold.shift()
    }
    return true
  }

  onCommitted(upTo: number): void {
    for (const { incoming } of this.#senders.values()) {
      if (incoming.committed(upTo)) this.#scheduleAccept()
    }
  }

  /** One ACCEPT per peer and tick, however many publications it covers. */
  #scheduleAccept(): void {
    if (this.#isAcceptDue) return
    this.#isAcceptDue = true
    this.#components.clock.defer(this.#acceptDue)
  }

  readonly #acceptDue = (): void => {
    this.#isAcceptDue = false
    this.tellAccepted()
  }

  /** Also called when a queue that refused an ACCEPT has drained. */
  tellAccepted(): void {
    for (const [nodeId, sender] of this.#senders) {
      const { accepted } = sender.incoming
      if (!sender.isGreeted || !this.#tellRefused(nodeId, sender) || accepted <= sender.toldAccepted) continue
      const frame = encodePosition(frameKind.accept, accepted)
      if (!this.#components.transport.send(nodeId, 'forward', frame)) continue
      sender.toldAccepted = accepted
      this.#components.local.point.tracer?.accepted(nodeId, accepted)
    }
  }
}
