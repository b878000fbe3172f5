/**
 * Where a session has been before, and what it has had: by that copies of one publication which come by several ways are told
 * apart, and kept in order. Few sessions have one.
 *
 * It queues nothing, and asks no other node. Invariant: what is noted here of a journaled session is appended to the journal in
 * the change with which the message is.
 */
import type { ClientId, Incarnation, NodeId } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import type { LocalMatch } from '../core/ports/routing.ts'
import type { SessionRecord, TailMark } from '../core/ports/session-journal.ts'
import type { MessageId, Publication } from '../core/publication.ts'
import type { DeliveryQueue, QueuedMessage } from './delivery-queue.ts'
import { IngressFloors } from './ingress-floors.ts'
import { IngressGaps } from './ingress-gaps.ts'
import type { MqttServices } from './mqtt-services.ts'
import type { SessionArrival } from './session-arrival.ts'
import { endOfGap, heldFrom } from './tail-marks.ts'

/** What the journal keeps of it. */
export type HistoryRecord = Pick<SessionRecord, 'tails' | 'floors' | 'beyond' | 'gaps' | 'hadWills'>

/** The session it belongs to. */
interface Traveller {
  readonly clientId: ClientId
  readonly isJournaled: boolean
  readonly queue: DeliveryQueue
  /** Keeps its record, if it is journaled. */
  keepRecord(): void
}

export class SessionHistory {
  /** Earlier owners from which messages follow. */
  tails: readonly TailMark[] = []
  /** What came to this node while it moved here; undefined long after. */
  arrival: SessionArrival | undefined
  /** What it had had when it moved; undefined if it never did. */
  floors: IngressFloors | undefined
  /** The life of this node before the present one, if it was here then: it has had what that life published. */
  outlived: Incarnation | undefined
  /** What it may lack below those; undefined if nothing. */
  gaps: IngressGaps | undefined
  /** Wills it has had lately: whoever acts for a dead node may publish one again, wherever the session is by then. */
  #hadWills: readonly MessageId[] = []
  readonly #session: Traveller
  readonly #services: Pick<MqttServices, 'journal' | 'router'>

  constructor(session: Traveller, services: Pick<MqttServices, 'journal' | 'router'>) {
    this.#session = session
    this.#services = services
  }

  record(): HistoryRecord {
    const { tails, floors, gaps } = this
    const beyond = floors?.beyond() ?? []
    return {
      ...(tails.length > 0 && { tails }),
      ...(floors !== undefined && { floors: floors.list() }),
      ...(beyond.length > 0 && { beyond }),
      ...(gaps !== undefined && { gaps: gaps.list() }),
      ...(this.#hadWills.length > 0 && { hadWills: this.#hadWills }),
    }
  }

  restore({ tails = [], floors, beyond, gaps, hadWills = [] }: HistoryRecord): void {
    this.tails = tails
    this.floors = floors && new IngressFloors(floors, beyond)
    this.gaps = gaps && new IngressGaps(gaps)
    this.#hadWills = hadWills
  }

  /** What earlier owners had received says nothing of what reaches the session here from now on. */
  loosenTails(): void {
    if (this.tails.length === 0) return
    this.tails = this.tails.map(mark => ({ ...mark, isLoose: true }))
    this.#session.keepRecord()
  }

  /** To be asked of what comes at QoS ≥ 1: false when the session has had it. */
  takes(publication: Publication, match: LocalMatch): boolean {
    if (this.#hasHad(publication, match)) return false
    // Of shared subscriptions another member may be given a copy, and the order is nobody's.
    if (this.tails.length === 0 || match.group !== undefined || publication.qos === 0) return true
    this.awaitOwed(this.#services.router.sender)
    return true
  }

  /** False for a will that the session has had, else it is noted. */
  takesWill(will: MessageId): boolean {
    const { incarnation, number } = will
    if (this.#hadWills.some(had => had.number === number && had.incarnation === incarnation)) return false
    this.#hadWills = [...this.#hadWills, will].slice(-limits.hadWillsMax)
    this.#session.keepRecord()
    return true
  }

  /** It has that now, if it may have lacked it. */
  fillGap(id: MessageId): void {
    if (this.gaps?.has(id) !== true) return
    this.gaps.fill(id)
    if (this.gaps.isEmpty) this.gaps = undefined
    this.#session.keepRecord()
  }

  /** Its client has that: the id is in the queue no more, and after a restart of this node a tail may bring it once more. */
  keepKnown({ qos, publication }: QueuedMessage): void {
    const id = publication?.id
    const { clientId, isJournaled } = this.#session
    if (qos < 2 || id === undefined || this.tails.length === 0 || !isJournaled) return
    this.#services.journal.putKnown(clientId, { id })
  }

  /** By another way: an earlier owner's, or a late copy. */
  #hasHad(publication: Publication, { group }: LocalMatch): boolean {
    const { id } = publication
    // Of shared subscriptions messages are given to one member, and come in any order.
    if (id === undefined || group !== undefined) return this.arrival?.isRepeated(publication) === true
    const isLacking = this.gaps?.has(id) === true
    if (!isLacking && this.floors?.covers(id) === true) return true
    if (this.arrival?.isRepeated(publication) === true) return true
    if (isLacking) this.fillGap(id)
    return false
  }

  /** Something comes directly from that node, or it is back: what it may owe an earlier owner comes first. */
  awaitOwed(nodeId: NodeId): void {
    if (this.arrival === undefined) return
    const { queue } = this.#session
    this.arrival.senders.add(nodeId)
    const isAwaited = ({ isPassed, owing, heldAt }: TailMark): boolean =>
      isPassed === true && heldAt === undefined && owing?.includes(nodeId) === true
    if (!this.tails.some(isAwaited)) return
    const at = queue.nextPosition
    queue.skipTo(endOfGap(at))
    this.tails = this.tails.map(mark => (isAwaited(mark) ? { ...mark, heldAt: at } : mark))
    queue.holdFrom = Math.min(queue.holdFrom, heldFrom(this.tails))
    this.#session.keepRecord()
    this.arrival.onHeld()
  }
}
