/**
 * Sessions on their way between two live members, with everything they have (PROTOCOLS section 4).
 *
 * The parts: the claimant's side, the owner's side, and here what both need: requests, offers, and the tail's arrival. Who
 * owns a session it never decides; that is the swap of its record, made by the contest that asks here first. Frames are
 * described in WIRE.md.
 */
import type { ClientId, FencingToken, Incarnation, NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { CoordinationStore } from '../src/core/ports/coordination-store.ts'
import type { PeerAddress, PeerTransport } from '../src/core/ports/peer-transport.ts'
import type { Random } from '../src/core/ports/random.ts'
import type { QueuedRecord, StagedOrigin } from '../src/core/ports/session-journal.ts'
import type { SessionHolder } from '../src/core/ports/session-ownership.ts'
import type { CoordinationKeys, LifeName } from './keys.ts'
import { isCount, type SessionChannel } from './session-channel.ts'
import { SessionOutcomes } from './session-outcome.ts'
import { readAll } from './part-reader.ts'
import { TransferClaimant, type ConsentAnswer } from './session-transfer-claimant.ts'
import { TransferOwner, type ConsentRules } from './session-transfer-owner.ts'
import { TAIL_BYTE, tailEnds } from './session-transfer-tail.ts'

export interface TransferContext {
  readonly store: CoordinationStore
  readonly transport: PeerTransport
  readonly channel: SessionChannel
  readonly clock: Clock
  readonly random: Random
  readonly keys: CoordinationKeys
  readonly nodeId: NodeId
  ownIncarnation(): Incarnation
  /** Whether this node may take on sessions now. */
  isActive(): boolean
  /** As `SessionOutcomes` asks. */
  readonly isSettling?: () => boolean
}

/** A session that is staged since before this process began. */
export interface StagedSession {
  readonly clientId: ClientId
  readonly from: StagedOrigin
}

export class SessionTransfer {
  readonly outcomes: SessionOutcomes
  /** Other owners asked for sessions, and what they said; `unreachable`: no link, or silence. */
  readonly asks: Record<'asked' | ConsentAnswer, number> = { asked: 0, consent: 0, retry: 0, unreachable: 0 }
  readonly #context: TransferContext
  readonly #claimant: TransferClaimant
  readonly #owner: TransferOwner
  readonly #offers = new Map<
    number,
    { readonly nodeId: NodeId; readonly timer: Timer; settle(isTaken: boolean): void }
  >()
  #holder: SessionHolder | undefined
  #lastOffer = 0

  constructor(context: TransferContext, rules: ConsentRules) {
    const { channel, clock, transport } = context
    this.#context = context
    this.outcomes = new SessionOutcomes(context, context.keys, context.nodeId)
    const holder = (): SessionHolder | undefined => this.#holder
    this.#claimant = new TransferClaimant({ channel, clock }, holder)
    this.#owner = new TransferOwner({ channel, clock, transport, outcomes: this.outcomes }, rules, holder)
    channel.onType('request', (from, fields) => this.#onRequest(from, fields))
    channel.onType('offer', (from, fields) => this.#onOffer(from, fields))
    channel.onType('offer-answer', (from, fields) => this.#onOfferAnswer(from, fields))
    channel.onBytes(TAIL_BYTE, (from, bytes) => this.#onTail(from, bytes))
    transport.addPeerListener({
      onPeerUp: () => {},
      onPeerDown: ({ nodeId }) => {
        this.#claimant.settleAll(nodeId)
        this.#owner.onPeerDown(nodeId)
        this.#settleOffers(nodeId)
      },
    })
  }

  /** Names who holds the sessions. */
  serve(holder: SessionHolder): void {
    this.#holder = holder
  }

  /** After the node has joined: what an earlier life left half done goes on. */
  resume(): void {
    this.#owner.resume()
  }

  /** Asks the owner under `token` for a session; nothing may be heard for `silenceMaxMs` at most. Never rejects. */
  ask(
    owner: LifeName,
    request: { readonly clientId: ClientId; readonly cleanStart: boolean },
    token: FencingToken,
    silenceMaxMs: number,
  ): Promise<ConsentAnswer> {
    this.asks.asked++
    return this.#claimant.ask(owner, request, token, silenceMaxMs).then(answer => {
      this.asks[answer]++
      return answer
    })
  }

  /** Whether the complete state of that session is staged here. */
  isStaged(clientId: ClientId): boolean {
    return this.#claimant.isStaged(clientId)
  }

  /** The claim succeeded with what is staged: it is the holder's from now on, and the old owner is told. */
  taken(clientId: ClientId): void {
    this.#claimant.taken(clientId)
  }

  /** The claim was refused, and no write of it can still be carried out. */
  discardStaged(clientId: ClientId): void {
    this.#claimant.discard(clientId)
  }

  /** The owner's side: as `TransferOwner.consentClean`. */
  consentClean(clientId: ClientId, token: FencingToken, to: NodeId): 'consent' | 'retry' {
    return this.#owner.consentClean(clientId, token, to)
  }

  /** As `SessionOwnership.offer`. */
  offer(clientId: ClientId, nodeId: NodeId, expiryIntervalSeconds: number): Promise<boolean> {
    const id = ++this.#lastOffer
    if (!this.#context.channel.send(nodeId, { type: 'offer', id, clientId, expiryIntervalSeconds })) {
      return Promise.resolve(false)
    }
    return new Promise(settle => {
      const timer = this.#context.clock.schedule(limits.transferMs, () => this.#settleOffer(id, false))
      this.#offers.set(id, { nodeId, timer, settle })
    })
  }

  close(): void {
    this.#claimant.settleAll(undefined)
    this.#owner.close()
    this.#settleOffers(undefined)
  }

  #onRequest(from: PeerAddress, fields: Readonly<Record<string, unknown>>): boolean {
    const { id, owner, clientId, epoch, revision, cleanStart } = fields
    if (!isCount(id) || !isCount(owner) || !isCount(epoch) || !isCount(revision)) return false
    if (typeof clientId !== 'string' || typeof cleanStart !== 'boolean') return false
    if (owner === this.#context.ownIncarnation()) {
      this.#owner.onRequest(from, id, clientId, { epoch, revision }, cleanStart)
    } else {
      this.#context.channel.send(from.nodeId, { type: 'answer', id, answer: 'retry' })
    }
    return true
  }

  #onTail(from: PeerAddress, bytes: Uint8Array): boolean {
    const read = readAll(bytes, this.#context.clock.wallNow(), reader => {
      const end = tailEnds[reader.byte()]
      const token = { epoch: reader.count(), revision: reader.count() }
      const clientId = reader.text()
      const floors = reader.ids()
      const owing = reader.nodes()
      const entries: QueuedRecord[] = []
      while (!reader.isAtEnd) entries.push(reader.message())
      return end === undefined ? undefined : { end, token, clientId, floors, owing, entries }
    })
    if (read === undefined) return false
    const { end, token, clientId, floors, owing, entries } = read
    const { epoch, revision } = token
    const reply = { type: 'tail-answer', clientId, epoch, revision, end }
    const holder = this.#holder
    const origin = { nodeId: from.nodeId, token }
    const answer = this.#context.isActive()
      ? (holder?.takeTail(clientId, origin, entries) ?? 'later')
      : 'later'
    if (typeof answer === 'string') {
      this.#context.channel.send(from.nodeId, { ...reply, state: answer })
      return true
    }
    if (end === 'caught-up') holder?.tailCaughtUp(clientId, origin, owing)
    else if (end === 'complete') holder?.endTail(clientId, origin, floors)
    const kept = { ...reply, state: 'kept', ...answer }
    if (entries.length === 0 && end !== 'complete') this.#context.channel.send(from.nodeId, kept)
    else holder?.whenKept(() => void this.#context.channel.send(from.nodeId, kept))
    return true
  }

  #onOffer(from: PeerAddress, fields: Readonly<Record<string, unknown>>): boolean {
    const { id, clientId, expiryIntervalSeconds } = fields
    if (!isCount(id) || typeof clientId !== 'string' || !isCount(expiryIntervalSeconds)) return false
    const answer = (isTaken: boolean): void => {
      this.#context.channel.send(from.nodeId, { type: 'offer-answer', id, isTaken })
    }
    const isWilling = this.#holder !== undefined && this.#context.isActive()
    if (isWilling) void this.#holder?.adopt(clientId, expiryIntervalSeconds).then(answer)
    else answer(false)
    return true
  }

  #onOfferAnswer(from: PeerAddress, { id, isTaken }: Readonly<Record<string, unknown>>): boolean {
    if (!isCount(id) || typeof isTaken !== 'boolean') return false
    if (this.#offers.get(id)?.nodeId === from.nodeId) this.#settleOffer(id, isTaken)
    return true
  }

  #settleOffer(id: number, isTaken: boolean): void {
    const offer = this.#offers.get(id)
    if (offer === undefined) return
    this.#offers.delete(id)
    offer.timer.cancel()
    offer.settle(isTaken)
  }

  /** Of one node, or of all. */
  #settleOffers(nodeId: NodeId | undefined): void {
    for (const [id, offer] of [...this.#offers]) {
      if (nodeId === undefined || offer.nodeId === nodeId) this.#settleOffer(id, false)
    }
  }
}
