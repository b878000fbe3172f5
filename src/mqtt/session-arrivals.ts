/**
 * Sessions on their way to this node (PROTOCOLS section 4): staged, put in force by a claim, and joined by their tail.
 *
 * What is staged is on disk and otherwise invisible. Once in force, the session's client gets what was handed over at once;
 * what comes here directly is queued behind a gap in the positions, in which the tail finds its place, and held until the
 * old owners have caught up, or for `HOLD_MS` in which no more of a long queue came (counted). They do not wait for nodes that
 * are gone: when such a one is back, all that comes directly, by whichever node, is held as long, until the old owners have what
 * it had for them. What comes here directly to a session that is back before this node had caught up comes late, out
 * of order (counted too). Invariant: what is answered as kept is on disk once the journal has committed, and of a publication
 * that comes both ways one copy is kept: while a tail may follow by its id, which at QoS 2 is on disk as long as its message
 * was, and then by itself; later by the floors its owner left, below which a direct copy is a late one.
 */
import type { ClientId, FencingToken, Incarnation, NodeId } from '../core/ids.ts'
import { compareTokens } from '../core/ids.ts'
import type {
  KnownRecord,
  QueuedRecord,
  SessionPart,
  SessionRecord,
  StagedOrigin,
  StoredSession,
  TailMark,
} from '../core/ports/session-journal.ts'
import type { Debt } from '../core/ports/routing.ts'
import type { MessageId } from '../core/publication.ts'
import { limits } from '../core/limits.ts'
import type { TailAnswer } from '../core/ports/session-ownership.ts'
import { DebtSettlement } from './debt-settlement.ts'
import { IngressFloors } from './ingress-floors.ts'
import { IngressGaps } from './ingress-gaps.ts'
import type { CommitWaiters } from './commit-waiters.ts'
import type { MqttServices } from './mqtt-services.ts'
import { SessionArrival, type IdBudget } from './session-arrival.ts'
import type { SessionKeeper } from './session-keeper.ts'
import { Session } from './session.ts'
import { StagedSession } from './staged-session.ts'
import { behind, directFrom, givenUp, heldAt, heldFrom, markOf, restAtOf } from './tail-marks.ts'
import { TailPlaces } from './tail-places.ts'

/** Logged of a session to which messages may come out of order. */
export const TAIL_LATE = 'a session gets messages of an earlier owner late'
/** How long what came directly waits for old owners that have not caught up. */
const HOLD_MS = 2000
/** How long ids that floors do not tell of are remembered once nothing follows any more. */
const REMEMBER_MS = 60_000
/** A barrier attempt, and the time between two: the old owner stays in the routes as long as it takes. */
const BARRIER_MS = 5000
const BARRIER_PAUSE_MS = 500

export class SessionArrivals {
  readonly #services: MqttServices
  readonly #keeper: SessionKeeper
  readonly #commits: CommitWaiters
  #isStopped = false
  readonly #staged = new Map<ClientId, StagedSession>()
  readonly #budget: IdBudget = { left: limits.tailIdsTotalMax }

  constructor(services: MqttServices, keeper: SessionKeeper, commits: CommitWaiters) {
    this.#services = services
    this.#keeper = keeper
    this.#commits = commits
  }

  beginStaged(record: SessionRecord, origin: StagedOrigin): void {
    this.#services.journal.beginStaged(record, origin)
    this.#staged.set(record.clientId, new StagedSession(record, origin))
  }

  stage(clientId: ClientId, part: SessionPart): boolean {
    const staged = this.#staged.get(clientId)
    if (staged === undefined || !staged.mayHave(part)) return false
    this.#services.journal.stage(clientId, part)
    staged.add(part)
    return true
  }

  unstage(clientId: ClientId): void {
    if (this.#staged.delete(clientId)) this.#services.journal.discardStaged(clientId)
  }

  /** Whether there are some that may be in force by their records. */
  get hasStaged(): boolean {
    return this.#staged.size > 0
  }

  isStaged(clientId: ClientId): boolean {
    return this.#staged.has(clientId)
  }

  /** What was staged when the process died. */
  restore(stored: StoredSession, origin: StagedOrigin): void {
    const { inflightMax } = this.#services.options
    this.#staged.set(stored.session.clientId, StagedSession.restore(stored, origin, inflightMax))
  }

  staged(): readonly { readonly clientId: ClientId; readonly from: StagedOrigin }[] {
    return Array.from(this.#staged, ([clientId, { origin }]) => ({ clientId, from: origin }))
  }

  /**
   * Puts what is staged in force under its new token, in the place of what this node has of that name. `isClaimed`: in this
   * life of the process.
   */
  activate(clientId: ClientId, token: FencingToken, isClaimed: boolean): Session {
    const staged = this.#staged.get(clientId)
    if (staged === undefined) throw new Error(`the session ${clientId} was not staged`)
    this.#staged.delete(clientId)
    const { journal } = this.#services
    const { record, subscriptions, queue, received, known, will, sent } = staged
    const marks = record.tails ?? []
    const own = marks.find(
      ({ token: at, from }) => from !== staged.origin.nodeId && this.#isOwn(clientId, at),
    )
    const tails = marks.filter(mark => mark !== own)
    const replaced = this.#keeper.get(clientId)
    const session = new Session(clientId, token, isClaimed, this.#services)
    session.restore(
      { session: { ...record, token, tails }, subscriptions, queue, received, known, will },
      sent,
    )
    if (own !== undefined) {
      // Messages for its earlier time here may still come, which no later owner has seen: what was had before that stands.
      session.history.floors = replaced?.history.floors
      session.history.loosenTails()
      if (own.isPassed !== true || own.owing !== undefined) this.#late(clientId)
    }
    this.#openGaps(session, staged, own !== undefined)
    closePassed(session, marks)
    const arrival = this.#remember(session, known)
    journal.atomically(() => {
      // Of another session of that name, which nobody waits for.
      if (own === undefined && replaced !== undefined) this.#keeper.bequeath(replaced)
      journal.activateStaged(session.record())
      // The session went and came back before all that reached it here had followed it.
      const places = new TailPlaces(session, own)
      for (const message of replaced?.queue.waitingFrom(own?.position ?? Infinity) ?? []) {
        const { publication } = message
        if (publication !== undefined) places.follow({ ...message, publication })
      }
      this.#keeper.leave(session, places.left)
    })
    this.#hold(session, arrival)
    replaced?.withdraw() // after the new one is in the routes, so that its filters never leave them
    this.#keeper.put(session)
    this.#takeOver(session, staged.debts)
    // At the start the node has not joined yet: they are awaited when the old owner asks.
    if (isClaimed) this.#awaitRoutes(session, arrival)
    return session
  }

  /** This node may have received what the old owner had not. To a session still in the routes here that was delivered. */
  #openGaps(session: Session, { record, origin }: StagedSession, isRouted: boolean): void {
    const gaps = new IngressGaps(record.gaps)
    if (!isRouted) gaps.open(origin.nodeId, record.floors ?? [], this.#services.router.seenUpTo())
    for (const id of record.beyond ?? []) gaps.fill(id)
    session.history.gaps = gaps.isEmpty ? undefined : gaps
  }

  /** Before its client can publish anything here. */
  #takeOver(session: Session, debts: readonly Debt[]): void {
    if (debts.length === 0) return
    const settlement = new DebtSettlement(session)
    this.#services.router.takeOver(session.clientId, debts, settlement)
    settlement.settle()
  }

  /** A stored session to which messages may still follow is as one that has just arrived. */
  restored(session: Session, known: readonly KnownRecord[]): void {
    closePassed(session, session.tails)
    if (session.tails.length > 0) this.#hold(session, this.#remember(session, known))
    else if (known.length > 0) {
      this.#remember(session, known)
      this.#settled(session)
    }
  }

  /** Sessions that are here, and stay, have had all that the last life of this node published. Before anything follows. */
  outlived(life: Incarnation | undefined): void {
    for (const { departure, history } of this.#keeper.all())
      if (departure === undefined) history.outlived = life
  }

  takeTail(clientId: ClientId, from: StagedOrigin, entries: readonly QueuedRecord[]): TailAnswer {
    if (this.#keeper.isClaiming(clientId)) return 'later'
    const staged = this.#staged.get(clientId)
    if (staged !== undefined) {
      // The swap was made, and its answer lost: the record says that the session is ours.
      void this.#keeper.claimUnattended(clientId, staged.record.expiryIntervalSeconds)
      return 'later'
    }
    const session = this.#keeper.get(clientId)
    const mark = session && markOf(session.tails, from)
    if (session === undefined || mark === undefined) return 'gone'
    if (session.departure !== undefined) return 'later'
    const isRouted = session.arrival?.isRouted ?? true
    if (session.arrival !== undefined) this.#awaitRoutes(session, session.arrival)
    const last = entries.at(-1)
    if (last === undefined || last.position < mark.position) return { position: mark.position, isRouted }
    const position = last.position + 1
    this.#services.journal.atomically(() => {
      const places = new TailPlaces(session, mark)
      for (const entry of entries) if (entry.position >= mark.position) places.follow(entry)
      this.#keeper.leave(session, places.left)
      session.history.tails = session.tails.map(other => (other === mark ? { ...mark, position } : other))
      this.#services.journal.putSession(session.record())
    })
    session.pump()
    return { position, isRouted }
  }

  tailCaughtUp(clientId: ClientId, from: StagedOrigin, owing: readonly NodeId[]): void {
    const session = this.#keeper.get(clientId)
    const mark = session && markOf(session.tails, from)
    if (session === undefined || mark === undefined || session.departure !== undefined) return
    if (mark.isPassed === true && owing.length === 0 && mark.owing === undefined) return
    const isAwaited = owing.some(nodeId => session.arrival?.senders.has(nodeId))
    this.#change(session, other => {
      if (other !== mark) return other
      if (isAwaited) return { ...mark, owing }
      return owing.length > 0 ? { ...givenUp(mark), owing } : givenUp(mark)
    })
  }

  endTail(clientId: ClientId, from: StagedOrigin, floors: readonly MessageId[]): void {
    const session = this.#keeper.get(clientId)
    const mark = session && markOf(session.tails, from)
    if (session === undefined || mark === undefined || session.departure !== undefined) return
    session.history.tails = session.tails.filter(other => other !== mark)
    letGo(session)
    session.history.gaps?.shrink(from.nodeId, floors)
    if (session.history.gaps?.isEmpty === true) session.history.gaps = undefined
    if (mark.isLoose !== true) (session.history.floors ??= new IngressFloors()).raise(floors)
    this.#services.journal.putSession(session.record())
    if (session.tails.length === 0) this.#settled(session)
  }

  /** Whether that is a token of a session that is just leaving this node. */
  #isOwn(clientId: ClientId, token: FencingToken): boolean {
    const own = this.#keeper.get(clientId)
    return own?.departure !== undefined && compareTokens(own.token, token) === 0
  }

  /** Nothing happens by itself any more: the journal is about to be closed. */
  stop(): void {
    this.#isStopped = true
    for (const { arrival } of this.#keeper.all()) arrival?.cancelTimers()
  }

  #after(ms: number, arrival: SessionArrival, task: () => void): void {
    if (!this.#isStopped) arrival.until(this.#services.clock.schedule(ms, task))
  }

  #remember(session: Session, known: readonly KnownRecord[]): SessionArrival {
    session.arrival?.end()
    const arrival = new SessionArrival(this.#budget, () => {
      this.#after(HOLD_MS, arrival, () => this.#giveUp(session, mark => mark.heldAt !== undefined))
    })
    for (const publication of known) arrival.isRepeated(publication)
    for (const { publication } of session.queue.waitingFrom(0))
      if (publication !== undefined) arrival.isRepeated(publication)
    session.history.arrival = arrival
    return arrival
  }

  /** What comes from now on comes directly, and waits for what is still to follow. */
  #hold(session: Session, arrival: SessionArrival): void {
    const last = session.tails.at(-1)
    if (last === undefined) return
    session.queue.holdFrom = heldFrom(session.tails)
    session.queue.skipTo(directFrom(last))
    let restAt = restAtOf(session.tails)
    const release = (): void => {
      const before = restAt
      restAt = restAtOf(session.tails)
      if (restAt !== undefined && restAt !== before) {
        this.#after(HOLD_MS, arrival, release) // a long queue, and it comes
        return
      }
      this.#giveUp(session, mark => mark.isPassed !== true)
    }
    this.#after(HOLD_MS, arrival, release)
    for (const { owing = [] } of session.tails) for (const nodeId of owing) arrival.senders.add(nodeId)
    if (heldAt(session.tails) < Infinity) arrival.onHeld()
  }

  /** What came directly has waited long enough. */
  #giveUp(session: Session, isMeant: (mark: TailMark) => boolean): void {
    if (!session.tails.some(isMeant)) return
    this.#late(session.clientId)
    this.#change(session, mark => (isMeant(mark) ? givenUp(mark) : mark))
  }

  /** What came directly waits for something else from now on, here and where the session goes from here. */
  #change(session: Session, changed: (mark: TailMark) => TailMark): void {
    session.history.tails = session.tails.map(changed)
    if (heldFrom(session.tails) === Infinity) session.arrival?.senders.clear()
    session.keepRecord()
    // Else a life that does not know of it would take what was sent for what still waits, and give it another place.
    this.#commits.whenCommitted(() => letGo(session))
  }

  #late(clientId: ClientId): void {
    this.#services.stats.tailsLate++
    this.#services.logger.debug(TAIL_LATE, { clientId })
  }

  /** Nothing follows any more; direct copies that floors do not cover may still be late. */
  #settled(session: Session): void {
    const { arrival, floors, gaps } = session.history
    if (arrival === undefined) return
    if (floors !== undefined) arrival.forgetCovered(floors, gaps)
    const end = (): void => {
      arrival.end()
      if (session.arrival !== arrival) return
      session.history.arrival = undefined
      this.#services.journal.deleteKnown(session.clientId)
    }
    this.#after(REMEMBER_MS, arrival, end)
  }

  #awaitRoutes(session: Session, arrival: SessionArrival): void {
    if (arrival.isRouted || arrival.isAwaitingRoutes) return
    arrival.isAwaitingRoutes = true
    const attempt = (): void => {
      this.#services.barrier.whenApplied('all', BARRIER_MS, isApplied => {
        if (isApplied) arrival.isRouted = true
        else if (session.arrival === arrival) this.#after(BARRIER_PAUSE_MS, arrival, attempt)
      })
    }
    attempt()
  }
}

/** What came directly did not wait for these owners: what they still bring has lost its place in front of it. */
function closePassed({ queue }: Session, tails: readonly TailMark[]): void {
  const awaited = tails.findIndex(mark => mark.isPassed !== true)
  const last = (awaited < 0 ? tails : tails.slice(0, awaited)).at(-1)
  if (last !== undefined) queue.pass(behind(last))
}

/** What came directly may be sent, as far as nothing is to come before it. */
function letGo(session: Session): void {
  session.queue.holdFrom = heldFrom(session.tails)
  session.pump()
}
