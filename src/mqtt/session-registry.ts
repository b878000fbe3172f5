/**
 * Every connection and session of the node, and how one becomes the other: claim, resume or start fresh, take over,
 * disconnect, expire.
 *
 * It is the only place that creates and ends sessions. Who may own a client id is decided by `SessionOwnership`; it never
 * serves one before the claim was answered. Invariants: at most one connection per client id is connected; CONNACK leaves
 * after the journal has what it promises; Session Present is 1 only when the whole state is here [MQTT-3.2.2-2].
 */
import type { ClientId, FencingToken } from '../core/ids.ts'
import { limits } from '../core/limits.ts'
import type { ByteStream } from '../core/ports/byte-stream.ts'
import type { Timer } from '../core/ports/clock.ts'
import type { ClaimAnswer, SessionHolder } from '../core/ports/session-ownership.ts'
import type { StoredSession } from '../core/ports/session-journal.ts'
import { ClientConnection } from './client-connection.ts'
import type { MqttServices } from './mqtt-services.ts'
import { reason } from './reason-codes.ts'
import { Session } from './session.ts'
import type { Will } from './will.ts'
import { WillScheduler } from './will-scheduler.ts'
import { encodeConnack } from './wire/control-encoder.ts'
import type { ProtocolVersion } from './wire/packet-types.ts'

const SWEEP_INTERVAL_MS = 1000
const NEVER_EXPIRES = 0xffff_ffff

/** A valid CONNECT that waits for its session. */
export interface ConnectRequest {
  readonly connection: ClientConnection
  readonly version: ProtocolVersion
  readonly clientId: ClientId
  readonly isClientIdAssigned: boolean
  readonly cleanStart: boolean
  readonly expiryIntervalSeconds: number
  readonly isExpiryOverruled: boolean
  readonly keepAliveSeconds: number
  readonly isKeepAliveOverruled: boolean
  readonly receiveMaximum: number
  readonly packetBytesMax: number
  readonly topicAliasMax: number
  readonly wantsResponseInformation: boolean
  readonly will: Will | undefined
  /** What CONNACK says of a successful enhanced authentication. */
  readonly authentication: { readonly method: string; readonly data: Uint8Array | undefined } | undefined
}

/** A session whose CONNACK waits for the journal. */
interface PendingEstablishment {
  readonly sequence: number
  readonly request: ConnectRequest
  readonly session: Session
  readonly sessionPresent: boolean
}

export class SessionRegistry implements SessionHolder {
  readonly #services: MqttServices
  readonly #connections = new Set<ClientConnection>()
  readonly #sessions = new Map<ClientId, Session>()
  /** The latest CONNECT of each client id whose claim is under way. */
  readonly #claims = new Map<ClientId, ConnectRequest>()
  #establishments: PendingEstablishment[] = []
  readonly #wills: WillScheduler
  readonly #sweepTimer: Timer
  #suspensionTimer: Timer | undefined
  /** Wills of clients that were connected when the process died; due once there is somebody to tell. */
  #restoredWills: { readonly session: Session; readonly will: Will }[] = []
  #isServing = false
  #isStopped = false

  constructor(shared: Omit<MqttServices, 'sessions'>) {
    this.#services = { ...shared, sessions: this }
    this.#wills = new WillScheduler(shared)
    this.#sweepTimer = shared.clock.repeat(SWEEP_INTERVAL_MS, () => this.#sweep())
    shared.journal.onCommitted(upTo => this.#onCommitted(upTo))
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  /** False until the node has joined its cluster: CONNECT waits. */
  get isServing(): boolean {
    return this.#isServing
  }

  /** Lets waiting and future CONNECTs in. */
  serve(): void {
    this.#isServing = true
    for (const { session, will } of this.#restoredWills.splice(0)) {
      if (this.#sessions.get(session.clientId) !== session) continue // superseded by another node's
      this.#wills.connectionLost(session.clientId, will, session.expiryIntervalSeconds)
      if (!this.#wills.isPending(session.clientId)) session.keepWill(undefined)
    }
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
    const session = new Session(stored.session.clientId, stored.session.token, false, this.#services)
    session.restore(stored)
    this.#sessions.set(session.clientId, session)
    if (session.disconnectedAtMs !== undefined) return
    // The process died with the client connected: that was the loss of its connection.
    session.disconnectedAtMs = this.#services.clock.wallNow()
    if (stored.will !== undefined) this.#restoredWills.push({ session, will: stored.will })
  }

  /** Client ids and tokens of the sessions that are stored but not claimed in this life. */
  unclaimed(): readonly { readonly clientId: ClientId; readonly token: FencingToken }[] {
    return [...this.#sessions.values()]
      .filter(session => !session.isClaimed)
      .map(({ clientId, token }) => ({ clientId, token }))
  }

  /** Forgets sessions that another node owns by now. */
  discard(clientIds: readonly ClientId[]): void {
    for (const clientId of clientIds) this.surrender(clientId)
  }

  /** Finds, claims and attaches the session of a CONNECT; answers with CONNACK, now or later. */
  connect(request: ConnectRequest): void {
    const { clientId, connection } = request
    const { ownership } = this.#services
    connection.state = 'claiming'
    if (!ownership.mayAcknowledge()) {
      this.#refuse(request, 'the node is suspended')
      return
    }
    const rival = this.#claims.get(clientId)
    this.#cancelEstablishment(clientId)
    if (rival !== undefined) {
      this.#claims.set(clientId, request) // the claim under way serves the last CONNECT
      rival.connection.abort('a later CONNECT with the same client id came')
      return
    }
    const session = this.#sessions.get(clientId)
    if (session?.isClaimed === true) {
      this.#establish(request, session.token, true)
      return
    }
    this.#claims.set(clientId, request)
    void ownership.claim(clientId).then(answer => this.#onClaimed(clientId, answer))
  }

  onConnectionClosed(connection: ClientConnection, detail: string, withWill: boolean): void {
    const { stats, logger, clock, journal } = this.#services
    this.#connections.delete(connection)
    stats.connectionsClosed++
    const { session } = connection
    if (session === undefined) {
      logger.debug('connection closed before CONNECT was answered', {
        remote: connection.stream.remote,
        detail,
      })
      return
    }
    logger.debug('client disconnected', {
      clientId: session.clientId,
      remote: connection.stream.remote,
      detail,
    })
    if (withWill && connection.will !== undefined) {
      this.#wills.connectionLost(session.clientId, connection.will, session.expiryIntervalSeconds)
    }
    if (!connection.isAttached) return
    session.detach()
    session.disconnectedAtMs = clock.wallNow()
    if (session.expiryIntervalSeconds === 0) this.#end(session, true)
    else if (session.isJournaled) journal.putSession(session.record())
    // A delayed will stays in the journal until it is published or cancelled.
    if (!this.#wills.isPending(session.clientId)) session.keepWill(undefined)
  }

  /** A v5 DISCONNECT may change how long the session is kept. */
  changeExpiry(session: Session, seconds: number): void {
    session.expiryIntervalSeconds = Math.min(seconds, this.#services.options.expiryIntervalMax)
  }

  surrender(clientId: ClientId): void {
    const session = this.#sessions.get(clientId)
    if (session === undefined) return
    this.#cancelEstablishment(clientId)
    this.#wills.cancel(clientId)
    this.#dropClient(session, 'the session was taken over on another node')
    this.#end(session, false)
  }

  /** While suspended, connections whose traffic is held are given up after `suspendHoldMs`. */
  setSuspended(isSuspended: boolean): void {
    this.#suspensionTimer?.cancel()
    this.#suspensionTimer = undefined
    if (!isSuspended) {
      for (const session of this.#sessions.values()) session.pump()
      this.#services.scheduler.wake()
      return
    }
    this.#suspensionTimer = this.#services.clock.schedule(this.#services.options.suspendHoldMs, () => {
      for (const connection of [...this.#connections]) {
        if (!connection.isReading) connection.disconnect(reason.serverBusy, 'the node is suspended')
      }
    })
  }

  /** Disconnects everybody; sessions that outlive their connection stay in the journal. */
  stop(): void {
    this.#isStopped = true
    this.#sweepTimer.cancel()
    this.#suspensionTimer?.cancel()
    for (const connection of [...this.#connections]) {
      connection.disconnect(reason.serverShuttingDown, 'the node is stopping')
    }
    this.#wills.stop()
  }

  #onClaimed(clientId: ClientId, answer: ClaimAnswer): void {
    const request = this.#claims.get(clientId)
    this.#claims.delete(clientId)
    if (request === undefined) throw new Error(`a claim of ${clientId} was answered that nobody made`)
    const session = this.#sessions.get(clientId)
    if (answer.status === 'refused') {
      this.#refuse(request, `session not claimed: ${answer.reason}`)
      return
    }
    const isResumable =
      session !== undefined &&
      answer.resumableToken !== undefined &&
      answer.resumableToken.epoch === session.token.epoch &&
      answer.resumableToken.revision === session.token.revision
    this.#establish(request, answer.token, isResumable)
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
      if (isPresent) Object.assign(held, { token, isClaimed: true })
      else this.#services.ownership.release(clientId, token)
      return
    }
    const session = isPresent ? held : new Session(clientId, token, true, this.#services)
    session.token = token
    session.isClaimed = true
    session.expiryIntervalSeconds = request.expiryIntervalSeconds
    session.disconnectedAtMs = undefined
    this.#sessions.set(clientId, session)
    let sequence = 0
    if (session.expiryIntervalSeconds > 0 || session.isJournaled) {
      session.isJournaled = true
      sequence = journal.putSession(session.record())
      session.keepWill(request.will)
      sequence = journal.appended
    }
    const establishment = { sequence, request, session, sessionPresent: isPresent }
    if (sequence <= journal.committed) this.#finish(establishment)
    else this.#establishments.push(establishment)
  }

  #onCommitted(upTo: number): void {
    this.#services.scheduler.onCommitted()
    if (this.#establishments.length === 0) return
    const ready = this.#establishments.filter(({ sequence }) => sequence <= upTo)
    this.#establishments = this.#establishments.filter(({ sequence }) => sequence > upTo)
    for (const establishment of ready) this.#finish(establishment)
  }

  /** A later CONNECT, or another node, got the session before its CONNACK left. */
  #cancelEstablishment(clientId: ClientId): void {
    const index = this.#establishments.findIndex(({ request }) => request.clientId === clientId)
    if (index === -1) return
    const [cancelled] = this.#establishments.splice(index, 1)
    cancelled?.request.connection.abort('a later CONNECT with the same client id came')
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
      this.#refuse(request, 'the node is suspended')
      session.disconnectedAtMs = this.#services.clock.wallNow()
      if (session.expiryIntervalSeconds === 0) this.#end(session, true)
      return
    }
    connection.will = request.will
    connection.send(
      encodeConnack(version, reason.success, sessionPresent, {
        ...(options.retainAvailable ? {} : { retainAvailable: false }),
        ...(options.wildcardAvailable ? {} : { wildcardSubscriptionAvailable: false }),
        ...(options.sharedAvailable ? {} : { sharedSubscriptionAvailable: false }),
        ...(options.topicAliasMax > 0 ? { topicAliasMaximum: options.topicAliasMax } : {}),
        ...(request.wantsResponseInformation && options.responseTopicPrefix !== ''
          ? { responseInformation: `${options.responseTopicPrefix}${clientId}/` }
          : {}),
        ...(request.authentication === undefined
          ? {}
          : { authenticationMethod: request.authentication.method }),
        ...(request.authentication?.data === undefined
          ? {}
          : { authenticationData: Buffer.from(request.authentication.data) }),
        receiveMaximum: options.receiveMax,
        maximumPacketSize: options.packetBytesMax,
        ...(request.isClientIdAssigned ? { assignedClientIdentifier: clientId } : {}),
        ...(request.isKeepAliveOverruled ? { serverKeepAlive: request.keepAliveSeconds } : {}),
        ...(request.isExpiryOverruled ? { sessionExpiryInterval: request.expiryIntervalSeconds } : {}),
      }),
    )
    connection.established(session, {
      version,
      silenceMaxMs: request.keepAliveSeconds * 1500, // [MQTT-3.1.2-22]
      inflightMax: Math.min(request.receiveMaximum, options.inflightMax),
      packetBytesMax: request.packetBytesMax,
      topicAliasMax: request.topicAliasMax,
    })
    logger.debug('client connected', { clientId, remote: connection.stream.remote, sessionPresent })
    session.pump()
  }

  #refuse(request: ConnectRequest, detail: string): void {
    this.#services.stats.connectsRefused++
    this.#services.logger.debug('connect refused', { clientId: request.clientId, detail })
    request.connection.refuse(encodeConnack(request.version, reason.serverUnavailable, false, {}), detail)
  }

  /** Ends the session's connection because another takes its place. */
  #dropClient(session: Session, detail: string): void {
    const { client } = session
    session.detach()
    client?.takeOver(detail)
  }

  #end(session: Session, release: boolean): void {
    this.#sessions.delete(session.clientId)
    session.withdraw()
    this.#wills.sessionEnded(session.clientId)
    if (session.isJournaled) this.#services.journal.deleteSession(session.clientId)
    if (release) this.#services.ownership.release(session.clientId, session.token)
  }

  #sweep(): void {
    const { clock, stats, ownership } = this.#services
    const nowMs = clock.now()
    for (const connection of this.#connections) this.#checkSilence(connection, nowMs)
    if (!ownership.mayAcknowledge()) return
    const wallMs = clock.wallNow()
    for (const session of this.#sessions.values()) {
      const { expiryIntervalSeconds, disconnectedAtMs } = session
      if (disconnectedAtMs === undefined || expiryIntervalSeconds === NEVER_EXPIRES) continue
      if (disconnectedAtMs + expiryIntervalSeconds * 1000 > wallMs) continue
      stats.sessionsExpired++
      this.#end(session, true)
    }
  }

  #checkSilence(connection: ClientConnection, nowMs: number): void {
    if (connection.state === 'connected') {
      const { silenceMaxMs } = connection
      if (silenceMaxMs > 0 && connection.isReading && nowMs - connection.lastReceivedAtMs > silenceMaxMs) {
        connection.disconnect(reason.keepAliveTimeout, 'keep alive timeout')
      }
    } else if (nowMs - connection.openedAtMs > limits.connectTimeoutMs) {
      connection.abort('no complete CONNECT in time')
    }
  }
}
