/**
 * How a CONNECT gets its session: the claim of its client id, the session resumed or begun afresh, and CONNACK.
 *
 * Who may own a client id is decided by `SessionOwnership`; it keeps no sessions, and serves none before its claim was
 * answered. Invariants: at most one claim of a client id is under way, which serves the last CONNECT; CONNACK leaves after the
 * journal has what it promises; Session Present is 1 only when the whole state is here [MQTT-3.2.2-2].
 */
import { compareTokens, type ClientId, type FencingToken } from '../core/ids.ts'
import type { ClaimAnswer, ClaimRefusal } from '../core/ports/session-ownership.ts'
import { Acceptances, refusalOf, type ConnectRequest } from './connect-request.ts'
import type { MqttServices } from './mqtt-services.ts'
import { PendingEstablishments, type PendingEstablishment } from './pending-establishments.ts'
import type { SessionArrivals } from './session-arrivals.ts'
import type { SessionKeeper } from './session-keeper.ts'
import { Session } from './session.ts'
import { willRecord } from './will.ts'

export class SessionEstablisher {
  readonly #services: MqttServices
  readonly #keeper: SessionKeeper
  readonly #arrivals: Pick<SessionArrivals, 'isStaged' | 'activate'>
  /** The latest CONNECT of each client id whose claim is under way; undefined while it has no client. */
  readonly #claims = new Map<ClientId, ConnectRequest | undefined>()
  readonly #pending: PendingEstablishments
  readonly #acceptances: Acceptances

  constructor(
    services: MqttServices,
    keeper: SessionKeeper,
    arrivals: Pick<SessionArrivals, 'isStaged' | 'activate'>,
  ) {
    this.#services = services
    this.#keeper = keeper
    this.#arrivals = arrivals
    this.#acceptances = new Acceptances(services.options)
    this.#pending = new PendingEstablishments(services.journal, pending => this.#finish(pending))
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
    this.cancel(clientId)
    if (this.#claims.has(clientId)) {
      const rival = this.#claims.get(clientId)
      this.#claims.set(clientId, request) // the claim under way serves the last CONNECT
      rival?.connection.abort('a later CONNECT with the same client id came')
      return
    }
    const session = this.#keeper.get(clientId)
    const hasWill = request.will !== undefined || session?.will !== undefined
    const isChanged = request.expiryIntervalSeconds !== session?.expiryIntervalSeconds
    // Whoever acts for its client should this node die must know the new terms before the client is told.
    if (session?.isClaimed !== true || hasWill || isChanged) this.#claim(request)
    else this.#establish(request, session.token, true)
  }

  /** Claims the session for nobody who is connected. False when that did not succeed. */
  async claimUnattended(clientId: ClientId, expiryIntervalSeconds: number): Promise<boolean> {
    if (this.#keeper.get(clientId)?.isClaimed === true) return true
    if (this.#claims.has(clientId) || !this.#services.ownership.mayAcknowledge()) return false
    this.#claims.set(clientId, undefined)
    const wish = { clientId, cleanStart: false, expiryIntervalSeconds, will: undefined }
    const answer = await this.#services.ownership.claim(wish)
    this.#onClaimed(clientId, undefined, answer)
    return answer.status === 'claimed'
  }

  /** Whether a claim of this client id is under way. */
  isClaiming(clientId: ClientId): boolean {
    return this.#claims.has(clientId)
  }

  get isClaimingAny(): boolean {
    return this.#claims.size > 0
  }

  /** Another node got the session, or it ends: no CONNACK leaves for it. */
  cancel(clientId: ClientId): void {
    const session = this.#pending.cancel(clientId)
    if (session !== undefined) this.#clientGone(session)
  }

  onCommitted(): void {
    this.#pending.onCommitted()
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
      this.#keepTerms(clientId)
      return
    }
    const { token, resumableToken, isTransferred } = answer
    if (isTransferred && this.#arrivals.isStaged(clientId)) this.#arrivals.activate(clientId, token, true)
    const session = this.#keeper.get(clientId)
    const isResumable =
      session !== undefined &&
      (isTransferred
        ? compareTokens(session.token, token) === 0
        : resumableToken !== undefined && compareTokens(session.token, resumableToken) === 0)
    if (request === undefined) this.#keepUnattended(clientId, token, isResumable)
    else {
      this.#establish(request, token, isResumable)
      // The claim kept the terms of the CONNECT that began it.
      if (claimed !== request) this.#keepTerms(clientId)
    }
  }

  /** What is kept elsewhere of a session of this node becomes what it is: a claim may have changed it for another CONNECT. */
  #keepTerms(clientId: ClientId): void {
    const session = this.#keeper.get(clientId)
    if (session?.isClaimed !== true) return
    const { token, expiryIntervalSeconds } = session
    const { will, dueAtMs } = this.#keeper.willOf(clientId) ?? {}
    void this.#services.ownership.setWill(clientId, token, will, dueAtMs)
    this.#services.ownership.setExpiry(clientId, token, expiryIntervalSeconds)
  }

  /** The session is here and its client is not. */
  #keepUnattended(clientId: ClientId, token: FencingToken, isResumable: boolean): void {
    const session = this.#keeper.get(clientId)
    if (session === undefined || !isResumable) {
      if (session !== undefined) this.#keeper.end(session)
      this.#services.ownership.release(clientId, token)
      return
    }
    Object.assign(session, { token, isClaimed: true, departure: undefined })
    this.#clientGone(session)
    this.#keepTerms(clientId)
  }

  /** The session counts on without its client, from when that went. */
  #clientGone(session: Session): void {
    session.disconnectedAtMs ??= this.#services.clock.wallNow()
    session.keepRecord()
    this.#keeper.resumeWill(session)
  }

  #establish(request: ConnectRequest, token: FencingToken, isResumable: boolean): void {
    const { clientId, connection, cleanStart } = request
    const { journal } = this.#services
    const held = this.#keeper.get(clientId)
    // A session without expiry ends with its old connection [MQTT-3.1.2-23].
    const isPresent = held !== undefined && isResumable && !cleanStart && held.expiryIntervalSeconds > 0
    if (held !== undefined) this.#keeper.replaceClient(held)
    if (connection.state === 'closed') {
      // Gone while the claim was under way.
      this.#keepUnattended(clientId, token, isPresent)
      return
    }
    if (isPresent)
      this.#keeper.cancelWill(clientId) // reconnected within the will delay [MQTT-3.1.3-9]
    else if (held !== undefined) this.#keeper.end(held)
    const session = isPresent ? held : new Session(clientId, token, true, this.#services)
    session.token = token
    session.isClaimed = true
    session.departure = undefined // whoever it was leaving for did not get it
    session.expiryIntervalSeconds = request.expiryIntervalSeconds
    session.disconnectedAtMs = undefined
    this.#keeper.put(session)
    if (session.expiryIntervalSeconds > 0 || session.isJournaled) {
      session.isJournaled = true
      journal.putSession(session.record())
    }
    session.keepWill(request.will)
    const sequence = session.isJournaled ? journal.appended : 0
    const establishment = { sequence, request, session, sessionPresent: isPresent }
    this.#pending.add(establishment)
  }

  #finish({ request, session, sessionPresent }: PendingEstablishment): void {
    const { connection, version, clientId } = request
    const { options, ownership, logger } = this.#services
    const isGone = connection.state === 'closed'
    if (isGone || !ownership.mayAcknowledge()) {
      if (!isGone) {
        session.keepWill(undefined) // it was not accepted
        this.#refuse(request, 'suspended')
      }
      this.#clientGone(session)
      this.#keepTerms(clientId)
      if (session.expiryIntervalSeconds === 0) this.#keeper.endOwned(session)
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
}
