/** The MQTT side of sessions that move between nodes, as coordination sees it: departures and arrivals under one roof. */
import type { ClientId, FencingToken, NodeId } from '../core/ids.ts'
import type { QueuedRecord, SessionPart, SessionRecord, StagedOrigin } from '../core/ports/session-journal.ts'
import type {
  FreezeAnswer,
  LeavingSession,
  SessionHolder,
  SessionSnapshot,
  TailAnswer,
} from '../core/ports/session-ownership.ts'
import type { MessageId } from '../core/publication.ts'
import { CommitWaiters } from './commit-waiters.ts'
import type { MqttServices } from './mqtt-services.ts'
import { SessionArrivals } from './session-arrivals.ts'
import { SessionDepartures } from './session-departures.ts'
import type { SessionKeeper } from './session-keeper.ts'
import { willRecord } from './will.ts'

export class SessionMoves implements SessionHolder {
  readonly arrivals: SessionArrivals
  readonly #departures: SessionDepartures
  readonly #commits: CommitWaiters
  readonly #keeper: SessionKeeper
  readonly #services: Pick<MqttServices, 'forwarder'>
  /** Undefined before any are known. */
  #members: ReadonlySet<NodeId> | undefined

  constructor(services: MqttServices, keeper: SessionKeeper) {
    this.#keeper = keeper
    this.#services = services
    this.#commits = new CommitWaiters(services.journal, services.clock)
    this.arrivals = new SessionArrivals(services, keeper, this.#commits)
    this.#departures = new SessionDepartures(services, keeper, this.#commits)
  }

  /**
   * The other members. What one that is back owes earlier owners of sessions here may go there with its publishers, by any node:
   * so what comes directly waits, whoever sends it.
   */
  setMembers(members: readonly NodeId[]): void {
    const before = this.#members ?? new Set(members)
    this.#members = new Set(members)
    const back = members.filter(nodeId => !before.has(nodeId))
    if (back.length === 0) return
    for (const session of this.#keeper.all()) {
      if (session.tails.length === 0 || session.departure !== undefined) continue
      for (const nodeId of back) session.history.awaitOwed(nodeId)
    }
  }

  surrender(clientId: ClientId): void {
    this.#keeper.surrender(clientId)
  }

  renew(clientId: ClientId, token: FencingToken): void {
    const session = this.#keeper.get(clientId)
    if (session !== undefined && !session.isClaimed) session.token = token
  }

  freeze(
    clientId: ClientId,
    token: FencingToken,
    to: NodeId,
    done: (snapshot: SessionSnapshot) => void,
  ): FreezeAnswer {
    // What is staged here may be in force by the record, which this node would learn with its next claim.
    if (this.arrivals.isStaged(clientId)) return 'busy'
    return this.#departures.freeze(clientId, token, to, done)
  }

  mayBeGiven(clientId: ClientId, token: FencingToken, to: NodeId): boolean {
    return this.#departures.mayBeGiven(clientId, token, to)
  }

  isLeaving(clientId: ClientId, token: FencingToken): boolean {
    return this.#departures.isLeaving(clientId, token)
  }

  given(clientId: ClientId): void {
    this.#departures.given(clientId)
  }

  thaw(clientId: ClientId): void {
    this.#departures.thaw(clientId)
  }

  tail(clientId: ClientId, position: number, messagesMax: number): readonly QueuedRecord[] {
    return this.#departures.tail(clientId, position, messagesMax)
  }

  tailKept(clientId: ClientId, position: number): void {
    this.#departures.tailKept(clientId, position)
  }

  withdrawShared(clientId: ClientId): void {
    this.#departures.withdrawShared(clientId)
  }

  whenFlushed(heard: (owing: readonly NodeId[]) => void): void {
    this.#services.forwarder.whenFlushed(heard)
  }

  withdraw(clientId: ClientId): readonly MessageId[] {
    return this.#departures.withdraw(clientId)
  }

  forget(clientId: ClientId): void {
    this.#departures.forget(clientId)
  }

  leaving(): readonly LeavingSession[] {
    return this.#departures.leaving()
  }

  beginStaged(record: SessionRecord, from: StagedOrigin): void {
    this.arrivals.beginStaged(record, from)
  }

  stage(clientId: ClientId, part: SessionPart): boolean {
    return this.arrivals.stage(clientId, part)
  }

  unstage(clientId: ClientId): void {
    this.arrivals.unstage(clientId)
  }

  whenKept(done: () => void): void {
    this.#commits.whenCommitted(done)
  }

  takeTail(clientId: ClientId, from: StagedOrigin, entries: readonly QueuedRecord[]): TailAnswer {
    return this.arrivals.takeTail(clientId, from, entries)
  }

  tailCaughtUp(clientId: ClientId, from: StagedOrigin, owing: readonly NodeId[]): void {
    this.arrivals.tailCaughtUp(clientId, from, owing)
  }

  endTail(clientId: ClientId, from: StagedOrigin, floors: readonly MessageId[]): void {
    this.arrivals.endTail(clientId, from, floors)
  }

  expiryOf(clientId: ClientId): number | undefined {
    return this.#keeper.get(clientId)?.expiryIntervalSeconds
  }

  willOf(clientId: ClientId): ReturnType<SessionHolder['willOf']> {
    const { will, disconnectedAtMs, expiryIntervalSeconds } = this.#keeper.get(clientId) ?? {}
    if (will === undefined) return undefined
    const delayMs = Math.min(will.delaySeconds, expiryIntervalSeconds ?? 0) * 1000
    const dueAtMs = disconnectedAtMs === undefined ? undefined : disconnectedAtMs + delayMs
    return { will: willRecord(will), dueAtMs }
  }

  willPublished(clientId: ClientId): void {
    this.#keeper.willPublished(clientId)
  }

  unclaimed(): ReturnType<SessionHolder['unclaimed']> {
    const sessions = [...this.#keeper.all()]
    return sessions.filter(({ isClaimed, departure }) => !isClaimed && departure === undefined)
  }

  adopt(clientId: ClientId, expiryIntervalSeconds: number): Promise<boolean> {
    return this.#keeper.claimUnattended(clientId, expiryIntervalSeconds)
  }
}
