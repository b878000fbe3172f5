/**
 * Sessions on their way to another node, as this node, the old owner, keeps them (PROTOCOLS section 4).
 *
 * A leaving session has no client and cannot get one without a claim. It stays in the routes, and what is delivered to it is
 * queued durably behind its departure mark, until the new owner has it. Who the new owner is, and whether there is one, it is
 * told. Before it is handed over all nodes are to route to it here: a node that routed to the new owner alone, and to this one
 * later, would have messages go to the client directly, behind the tail, and later ones by the tail. Invariant: what was accepted
 * for the session is on this disk, or on its new owner's.
 */
import type { ClientId, FencingToken, NodeId } from '../core/ids.ts'
import { compareTokens } from '../core/ids.ts'
import type { Debt } from '../core/ports/routing.ts'
import { limits } from '../core/limits.ts'
import type { QueuedRecord, SessionPart } from '../core/ports/session-journal.ts'
import { RESERVED_FROM, type MessageId } from '../core/publication.ts'
import type { FreezeAnswer, LeavingSession, SessionSnapshot } from '../core/ports/session-ownership.ts'
import type { CommitWaiters } from './commit-waiters.ts'
import { queuedBytes, type QueuedMessage } from './delivery-queue.ts'
import { IngressFloors } from './ingress-floors.ts'
import type { MqttServices } from './mqtt-services.ts'
import type { SessionKeeper } from './session-keeper.ts'
import type { Session } from './session.ts'
import { willRecord } from './will.ts'

/**
 * Positions left free between the snapshot and the tail: should the session come back to an earlier owner before all that
 * reached it there had followed, it belongs in between. A session may move 2^26 times before positions run out.
 */
const GAP = 2 ** 26
/** How long it waits to be routed to: changes that gossip lost are known within two digests, and moves wait for three seconds. */
const ROUTED_MS = 2000

type DepartureServices = Pick<MqttServices, 'journal' | 'forwarder' | 'router' | 'barrier'>

export class SessionDepartures {
  readonly #services: DepartureServices
  readonly #keeper: SessionKeeper
  readonly #commits: CommitWaiters

  constructor(services: DepartureServices, keeper: SessionKeeper, commits: CommitWaiters) {
    this.#services = services
    this.#keeper = keeper
    this.#commits = commits
  }

  freeze(
    clientId: ClientId,
    token: FencingToken,
    to: NodeId,
    done: (snapshot: SessionSnapshot) => void,
  ): FreezeAnswer {
    const session = this.#keeper.get(clientId)
    if (session?.isJournaled !== true || session.expiryIntervalSeconds === 0) return 'nothing'
    if (!isOwnedUnder(session, token)) return isClaimedAgain(session, token) ? 'busy' : 'nothing'
    if (session.departure === undefined) {
      this.#keeper.stopServing(session)
      // Its client may be back, on the new owner, before that is heard of here. Its time counts on if the session stays.
      this.#keeper.cancelWill(clientId)
      const restTo = session.queue.nextPosition + GAP
      session.departure = { to, nextPosition: cutOf(session) ?? restTo, restTo }
      session.queue.skipTo(restTo)
      session.isClaimed = false
      session.token = token
    } else if (session.departure.to !== to) return 'busy'
    const { departure } = session
    const isMeant = (): boolean => session.departure === departure && this.#keeper.get(clientId) === session
    this.#whenRouted(session, () => {
      if (!isMeant()) return
      session.publications.whenSettled(() => {
        if (!isMeant()) return
        this.#services.journal.putSession(session.record())
        const snapshot = this.#snapshotOf(session, departure.nextPosition)
        this.#commits.whenCommitted(() => {
          this.#withDebts(clientId, snapshot, whole => {
            if (isMeant()) done(whole)
          })
        })
      })
    })
    return 'frozen'
  }

  /** When all nodes route to it here, or that takes too long. Nearly always at once. */
  #whenRouted({ subscriptions }: Session, done: () => void): void {
    const { barrier } = this.#services
    if (barrier.isAppliedUpTo(subscriptions.addedAtMs)) done()
    else barrier.whenApplied('all', ROUTED_MS, done)
  }

  #snapshotOf(session: Session, nextPosition: number): SessionSnapshot {
    const { router } = this.#services
    const { floors: had, gaps, outlived } = session.history
    const floors = new IngressFloors(had?.list(), had?.beyond())
    floors.raise(router.receivedUpTo())
    floors.add(router.receivedBeyond().filter(id => gaps?.has(id) !== true))
    if (outlived !== undefined) floors.raise([{ incarnation: outlived, number: RESERVED_FROM - 1 }])
    return {
      session: { ...session.record(), floors: floors.list(), beyond: floors.beyond() },
      parts: partsOf(session, nextPosition),
    }
  }

  /** With what other nodes are still owed of the client's, if anything is. */
  #withDebts(clientId: ClientId, snapshot: SessionSnapshot, done: (snapshot: SessionSnapshot) => void): void {
    const reading = this.#services.forwarder.debtsOf(clientId)
    if (reading === undefined) done(snapshot)
    else void reading.then(debts => done({ ...snapshot, parts: [...snapshot.parts, ...debts.map(partOf)] }))
  }

  mayBeGiven(clientId: ClientId, token: FencingToken, to: NodeId): boolean {
    const session = this.#keeper.get(clientId)
    if (session === undefined) return true
    return (session.departure?.to ?? to) === to && compareTokens(session.token, token) <= 0
  }

  isLeaving(clientId: ClientId, token: FencingToken): boolean {
    const session = this.#keeper.get(clientId)
    return session?.departure !== undefined && compareTokens(session.token, token) === 0
  }

  given(clientId: ClientId): void {
    const session = this.#keeper.get(clientId)
    if (session?.departure === undefined || session.departure.isGiven === true) return
    session.departure = { ...session.departure, isGiven: true }
    this.#services.journal.putSession(session.record())
  }

  thaw(clientId: ClientId): void {
    const session = this.#keeper.get(clientId)
    if (session?.departure === undefined) return
    session.departure = undefined
    this.#services.journal.putSession(session.record())
    // A life that found it leaving does not have its will pending.
    this.#keeper.resumeWill(session)
  }

  tail(clientId: ClientId, position: number, messagesMax: number): readonly QueuedRecord[] {
    return this.#keeper.get(clientId)?.queue.waitingFrom(position, messagesMax).filter(isWhole) ?? []
  }

  tailKept(clientId: ClientId, position: number): void {
    const session = this.#keeper.get(clientId)
    if (session?.departure === undefined) return
    this.#keeper.cancelWill(clientId) // its client is elsewhere
    const [oldest] = session.queue.waitingFrom(0, 1)
    if (oldest === undefined || oldest.position >= position) return
    session.departure = { ...session.departure, nextPosition: position }
    this.#services.journal.atomically(() => {
      session.dropQueued(position)
      this.#services.journal.putSession(session.record())
    })
  }

  withdrawShared(clientId: ClientId): void {
    const session = this.#keeper.get(clientId)
    if (session?.departure !== undefined) session.subscriptions.leaveGroups()
  }

  withdraw(clientId: ClientId): readonly MessageId[] {
    const session = this.#keeper.get(clientId)
    if (session?.departure === undefined) return []
    // Before it leaves the routes: of what is published after, some may pass this node by.
    const received = this.#services.router.receivedUpTo()
    session.subscriptions.unroute()
    return received
  }

  forget(clientId: ClientId): void {
    const session = this.#keeper.get(clientId)
    if (session?.departure === undefined) return
    this.#keeper.cancelWill(clientId)
    this.#keeper.end(session)
  }

  leaving(): readonly LeavingSession[] {
    const leaving: LeavingSession[] = []
    for (const { clientId, token, departure } of this.#keeper.all()) {
      if (departure !== undefined) leaving.push({ clientId, token, departure })
    }
    return leaving
  }
}

/**
 * Where a long queue is cut: what was sent and the first of the others go with the snapshot, so that the client is served soon,
 * the rest follows. While something follows from elsewhere, which has its place among them, all go at once.
 */
function cutOf({ queue, tails }: Session): number | undefined {
  let messagesLeft: number = limits.snapshotMessagesMax
  let bytesLeft: number = limits.snapshotBytesMax
  for (const { position, duplicate, publication } of tails.length > 0 ? [] : queue.waitingFrom(0)) {
    if (publication === undefined || duplicate) continue
    if (messagesLeft-- <= 0 || bytesLeft <= 0) return position
    bytesLeft -= queuedBytes(publication)
  }
  return undefined
}

/** Of which not only the rest of an exchange is due. */
function isWhole(message: QueuedMessage): message is QueuedMessage & QueuedRecord {
  return message.publication !== undefined
}

/** A record may be newer than the session: a claim whose outcome this node never learnt, in between nobody else's. */
function isOwnedUnder(session: Session, token: FencingToken): boolean {
  const order = compareTokens(session.token, token)
  return order === 0 || (order < 0 && !session.isClaimed && session.departure === undefined)
}

/** A leaving one whose client was back before it was gone: the claim made then is on record, and this node has not learnt of it yet. */
function isClaimedAgain(session: Session, token: FencingToken): boolean {
  return session.departure !== undefined && compareTokens(session.token, token) < 0
}

function partOf(debt: Debt): SessionPart {
  return { type: 'debt', debt }
}

function nameOf(id: MessageId | undefined): string {
  return `${id?.incarnation}:${id?.number}`
}

/** Everything the session has below `nextPosition`, as it is now. */
function partsOf(session: Session, nextPosition: number): readonly SessionPart[] {
  const parts: SessionPart[] = []
  for (const [filter, subscription] of session.subscriptions) {
    const { qos, noLocal, retainAsPublished, subscriptionIdentifiers, fromPosition } = subscription
    const [subscriptionIdentifier] = subscriptionIdentifiers
    parts.push({
      type: 'subscription',
      subscription: { filter, qos, noLocal, retainAsPublished, subscriptionIdentifier, fromPosition },
    })
  }
  for (const {
    publication,
    duplicate,
    position,
    qos,
    retain,
    subscriptionIdentifiers,
    target,
  } of session.queue.waitingFrom(0)) {
    if (position >= nextPosition) break
    const entry =
      publication === undefined
        ? ({ position, isReleased: true } as const)
        : { position, qos, retain, subscriptionIdentifiers, publication, ...(target && { target }) }
    parts.push({ type: 'entry', entry, wasSent: duplicate })
  }
  for (const { packetId, id } of session.publications.receipts())
    parts.push({ type: 'received', packetId, id })
  const allKnown = [...(session.arrival?.known() ?? [])]
  if (allKnown.length > 0) {
    // What is in the queue the next owner finds there; what is in the tail it does not have yet.
    const queued = new Set(session.queue.waitingFrom(0).map(({ publication }) => nameOf(publication?.id)))
    for (const known of allKnown) if (!queued.has(nameOf(known.id))) parts.push({ type: 'known', ...known })
  }
  const { will } = session
  if (will !== undefined) parts.push({ type: 'will', will: willRecord(will) })
  return parts
}
