/**
 * Every connection and session of the node, and how one becomes the other: claim, resume or start fresh, take over,
 * disconnect, expire.
 *
 * It is the only place that creates and ends sessions. Who may own a client id is decided by `SessionOwnership`; it never
 * serves one before the claim was answered. Invariants: at most one connection per client id is connected; CONNACK leaves
 * after the journal has what it promises; Session Present is 1 only when the whole state is here [MQTT-3.2.2-2].
 */
import { compareTokens, type ClientId, type FencingToken } from '../core/ids.ts'
import type { ByteStream } from '../core/ports/byte-stream.ts'
import type { Timer } from '../core/ports/clock.ts'
import type { ClaimAnswer, ClaimRefusal } from '../core/ports/session-ownership.ts'
import type { StoredSession, WillRecord } from '../core/ports/session-journal.ts'
import { ClientConnection } from './client-connection.ts'
import { ConnectionWatch } from './connection-watch.ts'
import { Acceptances, refusalOf, type ConnectRequest } from './connect-request.ts'
import type { MqttServices } from './mqtt-services.ts'
import { PendingEstablishments, type PendingEstablishment } from './pending-establishments.ts'
import { reason } from './reason-codes.ts'
import { SessionEstates } from './session-estates.ts'
import { SessionMoves } from './session-moves.ts'
import type { SessionKeeper } from './session-keeper.ts'
import { Session } from './session.ts'
import { willRecord } from './will.ts'
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
  /** What ended sessions leave to other members of their shared subscriptions. */
  readonly estates: SessionEstates
  readonly #services: MqttServices
  readonly #connections = new Set<ClientConnection>()
  readonly #sessions = new Map<ClientId, Session>()
  /** The latest CONNECT of each client id whose claim is under way; undefined while it has no client. */
  readonly #claims = new Map<ClientId, ConnectRequest | undefined>()
  readonly #establishments: PendingEstablishments
  readonly #acceptances: Acceptances
  readonly #wills: WillScheduler
  readonly #sweepTimer: Timer
  readonly #watch: ConnectionWatch
  /** While true, a CONNECT is refused and pointed elsewhere. */
  isDraining = false
  #isServing = false
  #isStopped = false

  constructor(shared: Omit<MqttServices, 'sessions'>) {
    this.#services = { ...shared, sessions: this }
    this.#acceptances = new Acceptances(shared.options)
    this.#wills = new WillScheduler(shared)
    this.#watch = new ConnectionWatch(shared, this.#connections)
    this.#establishments = new PendingEstablishments(shared.journal, pending => this.#finish(pending))
    this.estates = new SessionEstates(shared)
    this.moves = new SessionMoves(this.#services, this.#keeper())
    this.#sweepTimer = shared.clock.repeat(SWEEP_INTERVAL_MS, () => this.#sweep())
    shared.journal.onCommitted(() => {
      shared.scheduler.onCommitted()
      this.#establishments.onCommitted()
    })
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  get sessionCount(): number {
    return this.#sessions.size
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

  /** Finds, claims and attaches the session of a CONNECT; answers with CONNACK, now or later. */
  connect(request: ConnectRequest): void {
    const { clientId, connection } = request
    const { ownership } = this.#services
    connection.state = 'claiming'
    if (!ownership.mayAcknowledge()) {
      this.#refuse(request, 'suspended')
      return
    }
    this.#establishments.cancel(clientId)
    if (this.#claims.has(clientId)) {
      const rival = this.#claims.get(clientId)
      this.#claims.set(clientId, request) // the claim under way serves the last CONNECT
      rival?.connection.abort('a later CONNECT with the same client id came')
      return
    }
    const session = this.#sessions.get(clientId)
    const hasWill = request.will !== undefined || session?.will !== undefined
    const isChanged = request.expiryIntervalSeconds !== session?.expiryIntervalSeconds
    // Whoever acts for its client should this node die must know the new terms before the client is told.
    if (session?.isClaimed !== true || hasWill || isChanged) this.#claim(request)
    else this.#establish(request, session.token, true)
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

  #claim(request: ConnectRequest): void {
    const { clientId, cleanStart, expiryIntervalSeconds, will } = request
    this.#claims.set(clientId, request)
    void this.#services.ownership
      .claim({ clientId, cleanStart, expiryIntervalSeconds, will: will && willRecord(will) })
      .then(answer => this.#onClaimed(clientId, request, answer))
  }

  #onClaimed(clientId: ClientId, claimed: ConnectRequest | undefined, answer: ClaimAnswer): void {
    const request = this.#claims.get(clientId)
    this.#claims.delete(clientId)
    if (answer.status === 'refused') {
      if (request !== undefined) this.#refuse(request, answer.reason)
      return
    }
    const { token, resumableToken, isTransferred } = answer
    const { arrivals } = this.moves
    if (isTransferred && arrivals.isStaged(clientId)) arrivals.activate(clientId, token, true)
    const session = this.#sessions.get(clientId)
    const isResumable =
      session !== undefined &&
      (isTransferred
        ? compareTokens(session.token, token) === 0
        : resumableToken !== undefined && compareTokens(session.token, resumableToken) === 0)
    if (request === undefined) {
      this.#keepUnattended(clientId, token, isResumable, isTransferred)
      return
    }
    this.#establish(request, token, isResumable)
    // The claim kept the will of the CONNECT that began it.
    if (claimed !== request) {
      const { will } = request
      void this.#services.ownership.setWill(clientId, token, will && willRecord(will))
    }
  }

  /** The session is here and its client is not. */
  #keepUnattended(
    clientId: ClientId,
    token: FencingToken,
    isResumable: boolean,
    isTransferred: boolean,
  ): void {
    const session = this.#sessions.get(clientId)
    if (session === undefined || !isResumable) {
      if (session !== undefined) this.#end(session, false)
      this.#services.ownership.release(clientId, token)
      return
    }
    Object.assign(session, { token, isClaimed: true, departure: undefined })
    this.#services.journal.putSession(session.record())
    if (isTransferred) this.#resumeWill(session)
  }

  #establish(request: ConnectRequest, token: FencingToken, isResumable: boolean): void {
    const { clientId, connection, cleanStart } = request
    const { journal } = this.#services
    const held = this.#sessions.get(clientId)
    // A session without expiry ends with its old connection [MQTT-3.1.2-23].
    const isPresent = held !== undefined && isResumable && !cleanStart && held.expiryIntervalSeconds > 0
    if (held !== undefined) this.#dropClient(held, 'a later CONNECT with the same client id came')
    if (isPresent)
      this.#wills.cancel(clientId) // reconnected within the will delay [MQTT-3.1.3-9]
    else if (held !== undefined) this.#end(held, false)
    if (connection.state === 'closed') {
      // Gone while the claim was under way.
      if (isPresent) this.#keepUnattended(clientId, token, true, false)
      else this.#services.ownership.release(clientId, token)
      return
    }
    const session = isPresent ? held : new Session(clientId, token, true, this.#services)
    session.token = token
    session.isClaimed = true
    session.departure = undefined // whoever it was leaving for did not get it
    session.expiryIntervalSeconds = request.expiryIntervalSeconds
    session.disconnectedAtMs = undefined
    this.#sessions.set(clientId, session)
    if (session.expiryIntervalSeconds > 0 || session.isJournaled) {
      session.isJournaled = true
      journal.putSession(session.record())
    }
    session.keepWill(request.will)
    const sequence = session.isJournaled ? journal.appended : 0
    const establishment = { sequence, request, session, sessionPresent: isPresent }
    this.#establishments.add(establishment)
  }

  #finish({ request, session, sessionPresent }: PendingEstablishment): void {
    const { connection, version, clientId } = request
    const { options, ownership, logger } = this.#services
    if (connection.state === 'closed') {
      session.disconnectedAtMs = this.#services.clock.wallNow()
      if (session.expiryIntervalSeconds === 0) this.#end(session, true)
      return
    }
    if (!ownership.mayAcknowledge()) {
      this.#refuse(request, 'suspended')
      session.disconnectedAtMs = this.#services.clock.wallNow()
      if (session.expiryIntervalSeconds === 0) this.#end(session, true)
      return
    }
    connection.will = request.will
    connection.send(this.#acceptances.of(request, sessionPresent))
    connection.established(session, {
      version,
      silenceMaxMs: request.keepAliveSeconds * 1500, // [MQTT-3.1.2-22]
      inflightMax: Math.min(request.receiveMaximum, options.inflightMax),
      packetBytesMax: request.packetBytesMax,
      topicAliasMax: request.topicAliasMax,
    })
    const { stream } = connection
    logger.debug('client connected', () => ({ clientId, remote: stream.remote, sessionPresent }))
    session.pump()
  }

  #refuse(request: ConnectRequest, refusal: ClaimRefusal): void {
    const { connack, detail } = refusalOf(request, refusal)
    this.#services.stats.connectsRefused++
    this.#services.logger.debug('connect refused', { clientId: request.clientId, detail })
    request.connection.refuse(connack, detail)
  }

  #keeper(): SessionKeeper {
    return {
      get: clientId => this.#sessions.get(clientId),
      all: () => this.#sessions.values(),
      isClaiming: clientId => this.#claims.has(clientId),
      put: session => this.#sessions.set(session.clientId, session),
      stopServing: session => this.#stopServing(session),
      surrender: clientId => this.#surrender(clientId),
      end: session => this.#end(session, false),
      bequeath: session => this.estates.add(session, session.legacy()),
      leave: (session, messages) => this.estates.leave(session, messages),
      cancelWill: clientId => this.#wills.cancel(clientId),
      willPublished: clientId => this.#willPublished(clientId),
      resumeWill: session => this.#resumeWill(session),
      claimUnattended: (clientId, expirySeconds) => this.#claimUnattended(clientId, expirySeconds),
    }
  }

  #stopServing(session: Session): void {
    const { clientId } = session
    this.#establishments.cancel(clientId)
    this.#dropClient(session, 'the session was taken over on another node')
    session.disconnectedAtMs ??= this.#services.clock.wallNow()
    if (!this.#wills.isPending(clientId)) session.keepWill(undefined)
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
    this.#establishments.cancel(clientId)
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

  async #claimUnattended(clientId: ClientId, expiryIntervalSeconds: number): Promise<boolean> {
    if (this.#sessions.get(clientId)?.isClaimed === true) return true
    if (this.#claims.has(clientId) || !this.#services.ownership.mayAcknowledge()) return false
    this.#claims.set(clientId, undefined)
    const wish = { clientId, cleanStart: false, expiryIntervalSeconds, will: undefined }
    const answer = await this.#services.ownership.claim(wish)
    this.#onClaimed(clientId, undefined, answer)
    return answer.status === 'claimed'
  }

  /** Ends the session's connection because another takes its place. */
  #dropClient(session: Session, detail: string): void {
    const { client } = session
    session.detach()
    client?.takeOver(detail)
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
