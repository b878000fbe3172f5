/**
 * Every connection and session of the node, and what becomes of them: restored, disconnected, taken over, surrendered, expired.
 *
 * It is the only place that ends sessions. How a CONNECT gets one is the establisher's part, how one moves that of
 * `SessionMoves`; both come here for the sessions. Invariant: there is at most one session per client id, with at most one
 * connection.
 */
import type { ClientId, FencingToken } from '../core/ids.ts'
import type { ByteStream } from '../core/ports/byte-stream.ts'
import type { Timer } from '../core/ports/clock.ts'
import type { StoredSession, WillRecord } from '../core/ports/session-journal.ts'
import { ClientConnection } from './client-connection.ts'
import { ConnectionWatch } from './connection-watch.ts'
import type { MqttServices } from './mqtt-services.ts'
import { reason } from './reason-codes.ts'
import { SessionEstablisher } from './session-establisher.ts'
import { SessionEstates } from './session-estates.ts'
import { SessionMoves } from './session-moves.ts'
import type { SessionKeeper } from './session-keeper.ts'
import { Session } from './session.ts'
import { WillScheduler } from './will-scheduler.ts'

const SWEEP_INTERVAL_MS = 1000
const NEVER_EXPIRES = 0xffff_ffff
/**
 * How much longer a session that is leaving is kept: its client may be at the next owner all the while, and that one cut off.
 * Whether it has ended there its record says.
 */
const LEAVING_MS = 60 * 60_000

export class SessionRegistry {
  /** Sessions on their way to and from other nodes. */
  readonly moves: SessionMoves
  /** From CONNECT to CONNACK. */
  readonly establisher: SessionEstablisher
  /** What ended sessions leave to other members of their shared subscriptions. */
  readonly estates: SessionEstates
  readonly #services: MqttServices
  readonly #connections = new Set<ClientConnection>()
  readonly #sessions = new Map<ClientId, Session>()
  readonly #wills: WillScheduler
  readonly #sweepTimer: Timer
  readonly #watch: ConnectionWatch
  /** While true, a CONNECT is refused and pointed elsewhere. */
  isDraining = false
  #isServing = false
  #isStopped = false

  constructor(shared: Omit<MqttServices, 'sessions'>) {
    this.#services = { ...shared, sessions: this }
    this.#wills = new WillScheduler(shared, clientId => this.establisher.isClaiming(clientId))
    this.#watch = new ConnectionWatch(shared, this.#connections)
    this.estates = new SessionEstates(shared)
    const keeper = this.#keeper()
    this.moves = new SessionMoves(this.#services, keeper)
    this.establisher = new SessionEstablisher(this.#services, keeper, this.moves.arrivals)
    this.#sweepTimer = shared.clock.repeat(SWEEP_INTERVAL_MS, () => this.#sweep())
    shared.journal.onCommitted(() => {
      shared.scheduler.onCommitted()
      this.establisher.onCommitted()
    })
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  /** Whether more may turn out to be this node's: claims are under way, or some are staged. */
  get isExpecting(): boolean {
    return this.establisher.isClaimingAny || this.moves.arrivals.hasStaged
  }

  /** Whether nothing here is anybody's who may come back for it. */
  get isEmpty(): boolean {
    return this.sessionCount === 0 && !this.isExpecting && this.estates.count === 0
  }

  /** Every session held here, by client id; live. */
  get sessions(): ReadonlyMap<ClientId, Session> {
    return this.#sessions
  }

  /** Every open connection, established or not; live. */
  get connections(): ReadonlySet<ClientConnection> {
    return this.#connections
  }

  /** False until the node has joined its cluster: CONNECT waits. */
  get isServing(): boolean {
    return this.#isServing
  }

  /** Lets waiting and future CONNECTs in. */
  serve(): void {
    this.#isServing = true
    for (const session of this.#sessions.values()) {
      if (session.departure === undefined) this.#resumeWill(session) // else its will is on its way with it
    }
    this.estates.serve()
    this.#services.scheduler.wake()
  }

  /** Takes a new network connection. */
  accept(stream: ByteStream): void {
    const { options, stats, logger } = this.#services
    if (this.#isStopped || this.#connections.size >= options.connectionsMax) {
      if (!this.#isStopped)
        logger.warn('connection refused: mqtt.connectionsMax reached', { remote: stream.remote })
      stats.connectsRefused++
      stream.destroy()
      return
    }
    stats.connectionsAccepted++
    this.#connections.add(new ClientConnection(stream, this.#services))
  }

  /** Brings a stored session back, not yet claimed. Called before clients are accepted. */
  restore(stored: StoredSession): void {
    if (stored.estate !== undefined) {
      this.estates.restore(stored.estate, stored.queue)
      return
    }
    if (stored.staged !== undefined) {
      this.moves.arrivals.restore(stored, stored.staged)
      return
    }
    const session = new Session(stored.session.clientId, stored.session.token, false, this.#services)
    session.restore(stored)
    this.#sessions.set(session.clientId, session)
    this.moves.arrivals.restored(session, stored.known)
    // If the process died with the client connected, that was the loss of its connection.
    session.disconnectedAtMs ??= this.#services.clock.wallNow()
  }

  /** Client ids and tokens of the sessions that are stored but not claimed in this life. */
  unclaimed(): readonly { readonly clientId: ClientId; readonly token: FencingToken }[] {
    return [...this.#sessions.values()]
      .filter(session => !session.isClaimed)
      .map(({ clientId, token }) => ({ clientId, token }))
  }

  /** Forgets sessions that another node owns by now, except those that left for it: it is still owed what came since. */
  discard(clientIds: readonly ClientId[]): void {
    for (const clientId of clientIds) {
      if (this.#sessions.get(clientId)?.departure === undefined) this.#surrender(clientId)
    }
  }

  /** What was staged when the process died is this node's under the token named, or, without one, never came into force. */
  settleStaged(clientId: ClientId, token: FencingToken | undefined): void {
    if (token === undefined) this.moves.unstage(clientId)
    else this.moves.arrivals.activate(clientId, token, false)
  }

  onConnectionClosed(connection: ClientConnection, detail: string, withWill: boolean): void {
    const { stats, logger, clock, journal } = this.#services
    this.#connections.delete(connection)
    stats.connectionsClosed++
    const { session } = connection
    if (session === undefined) {
      logger.debug('connection closed before CONNECT was answered', () => ({
        remote: connection.stream.remote,
        detail,
      }))
      return
    }
    const { clientId } = session
    logger.debug('client disconnected', () => ({ clientId, remote: connection.stream.remote, detail }))
    const isReplaced = !connection.isAttached
    if (connection.will !== undefined) {
      if (withWill) this.#wills.connectionLost(session, connection.will, isReplaced)
      else if (!isReplaced) this.#wills.discard(session)
    }
    if (!connection.isAttached) return
    session.detach()
    session.disconnectedAtMs = clock.wallNow()
    if (session.expiryIntervalSeconds === 0) this.#end(session, true)
    else if (session.isJournaled) journal.putSession(session.record())
    // A delayed will stays in the journal until it is published or cancelled.
    if (!this.#wills.isPending(session.clientId)) session.keepWill(undefined)
  }

  /** As `WillScheduler.publishFor`. */
  publishWill(will: WillRecord): Promise<void> {
    return this.#wills.publishFor(will)
  }

  /** A v5 DISCONNECT may change how long the session is kept. */
  changeExpiry(session: Session, seconds: number): void {
    const { clientId, token, expiryIntervalSeconds } = session
    session.expiryIntervalSeconds = Math.min(seconds, this.#services.options.expiryIntervalMax)
    if (session.expiryIntervalSeconds === expiryIntervalSeconds) return
    this.#services.ownership.setExpiry(clientId, token, session.expiryIntervalSeconds)
  }

  /** While suspended, connections whose traffic is held are given up after `suspendHoldMs`. */
  setSuspended(isSuspended: boolean): void {
    this.#watch.setSuspended(isSuspended)
    if (isSuspended) return
    for (const session of this.#sessions.values()) session.pump()
    this.estates.wake()
    this.#services.scheduler.wake()
  }

  /** Disconnects everybody; sessions that outlive their connection stay in the journal. */
  stop(): void {
    this.#isStopped = true
    this.#sweepTimer.cancel()
    this.#watch.stop()
    for (const connection of [...this.#connections]) {
      connection.disconnect(reason.serverShuttingDown, 'the node is stopping')
    }
    this.#wills.stop()
    this.moves.arrivals.stop()
    this.estates.stop()
  }

  #keeper(): SessionKeeper {
    return {
      get: clientId => this.#sessions.get(clientId),
      all: () => this.#sessions.values(),
      isClaiming: clientId => this.establisher.isClaiming(clientId),
      put: session => this.#sessions.set(session.clientId, session),
      stopServing: session => this.#stopServing(session),
      surrender: clientId => this.#surrender(clientId),
      end: session => this.#end(session, false),
      endOwned: session => this.#end(session, true),
      replaceClient: session => this.#dropClient(session, 'a later CONNECT with the same client id came'),
      bequeath: session => this.estates.add(session, session.legacy()),
      leave: (session, messages) => this.estates.leave(session, messages),
      willOf: clientId => this.moves.willOf(clientId),
      cancelWill: clientId => this.#wills.cancel(clientId),
      willPublished: clientId => this.#willPublished(clientId),
      resumeWill: session => this.#resumeWill(session),
      claimUnattended: (clientId, expirySeconds) => this.establisher.claimUnattended(clientId, expirySeconds),
    }
  }

  #stopServing(session: Session): void {
    const { clientId } = session
    this.establisher.cancel(clientId)
    this.#dropClient(session, 'the session was taken over on another node')
    session.disconnectedAtMs ??= this.#services.clock.wallNow()
  }

  #willPublished(clientId: ClientId): void {
    const session = this.#sessions.get(clientId)
    if (session?.will === undefined) return
    this.#wills.cancel(clientId)
    session.client?.loseWill('its will was published while this node was taken for dead')
    session.keepWill(undefined)
  }

  #surrender(clientId: ClientId): void {
    const session = this.#sessions.get(clientId)
    if (session === undefined) return
    this.establisher.cancel(clientId)
    this.#wills.cancel(clientId)
    this.#dropClient(session, 'the session was taken over on another node')
    this.#end(session, false)
  }

  /** The will of a client that is not here counts on from when it went. Until the node serves there is nobody to tell. */
  #resumeWill(session: Session): void {
    const { will, disconnectedAtMs } = session
    if (!this.#isServing || will === undefined || disconnectedAtMs === undefined) return
    const goneSeconds = Math.max(0, this.#services.clock.wallNow() - disconnectedAtMs) / 1000
    const delaySeconds = Math.max(0, will.delaySeconds - goneSeconds)
    this.#wills.connectionLost(session, { ...will, delaySeconds })
    if (!this.#wills.isPending(session.clientId)) session.keepWill(undefined)
  }

  /** Ends the session's connection because another takes its place. */
  #dropClient(session: Session, detail: string): void {
    const { client, clientId } = session
    session.detach()
    if (client === undefined) return
    client.takeOver(detail)
    session.disconnectedAtMs = this.#services.clock.wallNow()
    if (!this.#wills.isPending(clientId)) session.keepWill(undefined)
  }

  #end(session: Session, release: boolean): void {
    const legacy = session.legacy()
    this.#sessions.delete(session.clientId)
    session.withdraw()
    this.#wills.sessionEnded(session.clientId)
    this.estates.add(session, legacy)
    if (release) this.#services.ownership.release(session.clientId, session.token)
  }

  #sweep(): void {
    const { clock, stats, ownership } = this.#services
    this.#watch.checkSilence()
    // Before it serves, wills of sessions that are over by now do not count yet.
    if (!this.#isServing || !ownership.mayAcknowledge()) return
    this.estates.wake()
    const wallMs = clock.wallNow()
    for (const session of this.#sessions.values()) {
      const { expiryIntervalSeconds, disconnectedAtMs, departure } = session
      if (disconnectedAtMs === undefined || expiryIntervalSeconds === NEVER_EXPIRES) continue
      const keptMs = expiryIntervalSeconds * 1000 + (departure === undefined ? 0 : LEAVING_MS)
      if (disconnectedAtMs + keptMs > wallMs) continue
      stats.sessionsExpired++
      this.#end(session, true)
    }
  }
}
