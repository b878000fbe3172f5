/**
 * The owner's side of a transfer (PROTOCOLS section 4): answers claimants, sends the session, learns what became of it.
 *
 * One move per session at a time: freezing → sending → offered (the claimant has all and may swap) → either kept, after the
 * record was rewritten, or the tail (session-transfer-tail.ts). It holds no state of sessions: a move that the holder does
 * not know any more is dropped. Invariant: a session is thawed only after a rewrite of its record, and its state is
 * forgotten only when its successor has it on disk or nobody can want it.
 */
import type { ClientId, FencingToken, NodeId } from '../src/core/ids.ts'
import { compareTokens } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { PeerAddress, PeerTransport } from '../src/core/ports/peer-transport.ts'
import type { SessionPart } from '../src/core/ports/session-journal.ts'
import type { SessionHolder, SessionSnapshot } from '../src/core/ports/session-ownership.ts'
import type { SessionChannel } from './session-channel.ts'
import { isCount } from './session-channel.ts'
import type { SessionOutcomes } from './session-outcome.ts'
import { PartWriter } from './part-writer.ts'
import { SNAPSHOT_BYTE } from './session-transfer-claimant.ts'
import { TailTurns } from './tail-turns.ts'
import { TransferTail, type TailPorts } from './session-transfer-tail.ts'

/** What the claims of this node say to a request. */
export interface ConsentRules {
  /** Whether a request to this life, about that ownership, may be answered with more than `retry`. */
  mayLeave(clientId: ClientId, token: FencingToken): boolean
  /** Consent is given: the next claim of this node writes. */
  consented(clientId: ClientId): void
}

interface Move {
  readonly clientId: ClientId
  readonly token: FencingToken
  readonly to: NodeId
  readonly requestId: number
  phase: 'freezing' | 'sending' | 'offered' | 'resolving'
  parts: Iterator<SessionPart> | undefined
  frames: number
  /** Of a frame that found the queue full, waiting for room. */
  isBlocked: boolean
  timer: Timer
  readonly writer: PartWriter
  position: number
}

/** For the holder to freeze: what the client published must be accepted, by members that may just be unreachable. */
const FREEZE_MS = 3000
/** From the last frame to the news of the swap: longer than a contest, whose late swap the rewrite makes fail anyway. */
const OUTCOME_MS = 4000
const RETRY_MS = 1000
/** Frames sent in one turn. */
const FRAMES_PER_TURN = 16

export class TransferOwner {
  readonly #channel: SessionChannel
  readonly #transport: PeerTransport
  readonly #clock: Clock
  readonly #outcomes: SessionOutcomes
  readonly #rules: ConsentRules
  readonly #holder: () => SessionHolder | undefined
  readonly #moves = new Map<ClientId, Move>()
  readonly #tails = new Map<ClientId, TransferTail>()
  readonly #tailPorts: TailPorts

  constructor(
    ports: { channel: SessionChannel; transport: PeerTransport; clock: Clock; outcomes: SessionOutcomes },
    rules: ConsentRules,
    holder: () => SessionHolder | undefined,
  ) {
    this.#channel = ports.channel
    this.#transport = ports.transport
    this.#clock = ports.clock
    this.#outcomes = ports.outcomes
    this.#rules = rules
    this.#holder = holder
    this.#tailPorts = { ...ports, turns: new TailTurns(), done: clientId => this.#tails.delete(clientId) }
    this.#channel.onType('moved', (from, fields) => this.#onMoved(from, fields))
    this.#channel.onType('tail-answer', (from, fields) => this.#onTailAnswer(from, fields))
    this.#transport.onDrain((nodeId, channel) => {
      if (channel === 'session') this.#onDrain(nodeId)
    })
  }

  /** Takes up what an earlier life of this node left half done; the tokens are as stored. */
  resume(): void {
    for (const { clientId, token, departure } of this.#holder()?.leaving() ?? []) {
      const move = this.#newMove(clientId, token, departure.to, 0, departure.nextPosition)
      // Whoever was given consent may still swap: so long nothing is decided.
      this.#wait(move, 'offered', OUTCOME_MS)
    }
  }

  onRequest(from: PeerAddress, id: number, clientId: ClientId, token: FencingToken, isClean: boolean): void {
    const holder = this.#holder()
    if (!this.#mayGive(holder, clientId, token, from.nodeId)) {
      this.#answer(from.nodeId, id, 'retry')
      return
    }
    if (isClean) {
      this.#answer(from.nodeId, id, this.consentClean(clientId, token, from.nodeId))
      return
    }
    const move = this.#newMove(clientId, token, from.nodeId, id, 0)
    const answer = holder.freeze(clientId, token, from.nodeId, snapshot => this.#onFrozen(move, snapshot))
    if (answer === 'frozen') {
      this.#rules.consented(clientId)
      return
    }
    this.#drop(move)
    if (answer === 'busy') this.#answer(from.nodeId, id, 'retry')
    else this.#surrender(holder, from.nodeId, id, clientId)
  }

  /** A second claimant of a session that was promised, or has gone, to another looks at the record again. */
  #mayGive(
    holder: SessionHolder | undefined,
    clientId: ClientId,
    token: FencingToken,
    to: NodeId,
  ): holder is SessionHolder {
    return holder?.mayBeGiven(clientId, token, to) === true && this.#rules.mayLeave(clientId, token)
  }

  /**
   * `to`, which wants nothing of the session's state, asks by another way than the stream. `retry`: it is just leaving for
   * another node, or not as the asker believes.
   */
  consentClean(clientId: ClientId, token: FencingToken, to: NodeId): 'consent' | 'retry' {
    const holder = this.#holder()
    if (!this.#mayGive(holder, clientId, token, to)) return 'retry'
    this.#rules.consented(clientId)
    holder.surrender(clientId)
    return 'consent'
  }

  /** The link to one node is gone: what was promised to it is settled by the record. */
  onPeerDown(nodeId: NodeId): void {
    for (const move of [...this.#moves.values()]) {
      if (move.to === nodeId && move.phase !== 'resolving') this.#resolve(move)
    }
  }

  close(): void {
    for (const move of this.#moves.values()) move.timer.cancel()
    for (const tail of this.#tails.values()) tail.close()
    this.#moves.clear()
    this.#tails.clear()
  }

  #surrender(holder: SessionHolder, to: NodeId, id: number, clientId: ClientId): void {
    this.#rules.consented(clientId)
    holder.surrender(clientId)
    this.#answer(to, id, 'consent')
  }

  /** An answer that cannot be sent is asked for again. */
  #answer(nodeId: NodeId, id: number, answer: 'consent' | 'retry'): void {
    this.#channel.send(nodeId, { type: 'answer', id, answer })
  }

  #newMove(clientId: ClientId, token: FencingToken, to: NodeId, requestId: number, position: number): Move {
    this.#moves.get(clientId)?.timer.cancel()
    const writer = new PartWriter(this.#clock.wallNow())
    const timer = this.#clock.schedule(FREEZE_MS, () => this.#resolve(move))
    const move: Move = {
      clientId,
      token,
      to,
      requestId,
      position,
      phase: 'freezing',
      parts: undefined,
      frames: 0,
      isBlocked: false,
      timer,
      writer,
    }
    this.#moves.set(clientId, move)
    return move
  }

  #drop(move: Move): void {
    move.timer.cancel()
    if (this.#moves.get(move.clientId) === move) this.#moves.delete(move.clientId)
  }

  #wait(move: Move, phase: Move['phase'], delayMs: number): void {
    move.timer.cancel()
    move.phase = phase
    move.timer = this.#clock.schedule(delayMs, () => this.#resolve(move))
  }

  #onFrozen(move: Move, { session, parts }: SessionSnapshot): void {
    if (this.#moves.get(move.clientId) !== move || move.phase !== 'freezing') return
    move.position = session.departure?.nextPosition ?? 0
    move.parts = parts[Symbol.iterator]()
    this.#wait(move, 'sending', limits.transferMs)
    this.#beginFrame(move)
    move.writer.session(session)
    this.#send(move)
  }

  #beginFrame({ writer, requestId, frames }: Move): void {
    writer.clear(this.#clock.wallNow()) // of a message that waited for its frame less is left
    writer.byte(SNAPSHOT_BYTE)
    writer.number(requestId)
    writer.uint32(frames)
    writer.byte(0)
  }

  /** Sends frames until the queue is full, the turn has lasted long enough, or everything is on its way. */
  #send(move: Move): void {
    for (let sent = 0; sent < FRAMES_PER_TURN; sent++) {
      if (this.#moves.get(move.clientId) !== move || move.phase !== 'sending') return
      const isLast = move.isBlocked ? move.parts === undefined : this.#fillFrame(move)
      if (isLast) move.writer.setByte(LAST_FLAG_AT, 1)
      move.isBlocked = !this.#channel.sendBytes(move.to, move.writer.bytes)
      if (move.isBlocked) {
        if (!this.#transport.isUp(move.to)) this.#resolve(move)
        return // else it goes on when there is room
      }
      move.frames++
      if (isLast) {
        this.#wait(move, 'offered', OUTCOME_MS)
        return
      }
      this.#beginFrame(move)
    }
    this.#clock.defer(() => this.#send(move))
  }

  /** True when nothing is left for another frame. */
  #fillFrame(move: Move): boolean {
    while (move.parts !== undefined && move.writer.length < limits.transferFrameBytes) {
      const next = move.parts.next()
      if (next.done === true) move.parts = undefined
      else move.writer.part(next.value)
    }
    return move.parts === undefined
  }

  #onDrain(nodeId: NodeId): void {
    for (const move of [...this.#moves.values()]) if (move.to === nodeId && move.isBlocked) this.#send(move)
  }

  #onMoved(from: PeerAddress, { clientId, epoch, revision }: Readonly<Record<string, unknown>>): boolean {
    if (typeof clientId !== 'string' || !isCount(epoch) || !isCount(revision)) return false
    const move = this.#moves.get(clientId)
    const isMeant = move?.to === from.nodeId && compareTokens(move.token, { epoch, revision }) === 0
    if (isMeant) this.#startTail(move, from.nodeId)
    return true
  }

  #onTailAnswer(from: PeerAddress, fields: Readonly<Record<string, unknown>>): boolean {
    const { clientId } = fields
    if (typeof clientId !== 'string') return false
    return this.#tails.get(clientId)?.onAnswer(from, fields) ?? true
  }

  #startTail(move: Move, to: NodeId): void {
    const holder = this.#holder()
    this.#drop(move)
    if (holder?.isLeaving(move.clientId, move.token) !== true) return
    holder.given(move.clientId)
    this.#tails.get(move.clientId)?.close()
    const { clientId, token, position } = move
    const tail = new TransferTail(this.#tailPorts, holder, { clientId, token, position }, to)
    this.#tails.set(clientId, tail)
    tail.run()
  }

  /** Finds out what became of the session, and acts on it. */
  #resolve(move: Move): void {
    if (move.phase === 'freezing') this.#answer(move.to, move.requestId, 'retry')
    this.#wait(move, 'resolving', RETRY_MS * 10)
    void this.#outcomes.settle(move.clientId, move.token).then(outcome => {
      const holder = this.#holder()
      if (this.#moves.get(move.clientId) !== move || holder === undefined) return
      if (!holder.isLeaving(move.clientId, move.token)) {
        this.#drop(move)
      } else if (outcome.outcome === 'moved') {
        this.#startTail(move, outcome.to)
      } else if (outcome.outcome === 'unknown') {
        this.#wait(move, 'resolving', RETRY_MS)
      } else {
        this.#drop(move)
        if (outcome.outcome === 'kept') holder.thaw(move.clientId)
        else holder.forget(move.clientId)
      }
    })
  }
}

/** Behind the leading byte, the request's id and the frame's number. */
const LAST_FLAG_AT = 13
