/**
 * The claimant's side of a transfer (PROTOCOLS section 4): asks the owner for a session, and stages what it sends.
 *
 * Whether the claim succeeds it does not know; the state comes into force, or is discarded, by the holder's doing. Invariant:
 * every question is settled exactly once, within a bounded time; `consent` with state is answered only when every part has
 * arrived, in order, and is on disk, and what arrives for any other question is dropped.
 */
import type { ClientId, FencingToken, NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { PeerAddress } from '../src/core/ports/peer-transport.ts'
import type { SessionHolder } from '../src/core/ports/session-ownership.ts'
import type { TailMark } from '../src/core/ports/session-journal.ts'
import type { LifeName } from './keys.ts'
import { isCount, type SessionChannel } from './session-channel.ts'
import { type PartReader, readAll } from './part-reader.ts'

/**
 * `consent`: the owner has stopped serving the session, and unless it held nothing, or nothing was wanted, its state is
 * staged here. `retry`: it is not, or not yet, as the asker believes; look again. `unreachable`: no answer.
 */
export type ConsentAnswer = 'consent' | 'retry' | 'unreachable'

/** Leading byte of a frame with parts of a snapshot. */
export const SNAPSHOT_BYTE = 1

interface Question {
  readonly nodeId: NodeId
  readonly clientId: ClientId
  readonly token: FencingToken
  readonly silenceMaxMs: number
  readonly endMs: number
  readonly settle: (answer: ConsentAnswer) => void
  timer: Timer
  nextFrame: number
}

export class TransferClaimant {
  readonly #channel: SessionChannel
  readonly #clock: Clock
  readonly #holder: () => SessionHolder | undefined
  readonly #questions = new Map<number, Question>()
  /** Completely staged, with the owner each came from. */
  readonly #staged = new Map<ClientId, { readonly nodeId: NodeId; readonly token: FencingToken }>()
  #lastId = 0

  constructor(ports: { channel: SessionChannel; clock: Clock }, holder: () => SessionHolder | undefined) {
    this.#channel = ports.channel
    this.#clock = ports.clock
    this.#holder = holder
    this.#channel.onType('answer', (from, fields) => this.#onAnswer(from, fields))
    this.#channel.onBytes(SNAPSHOT_BYTE, (from, bytes) => this.#onSnapshot(from, bytes))
  }

  /** Asks the owner under `token`. `silenceMaxMs`: how long nothing may be heard. Never rejects. */
  ask(
    { nodeId, incarnation }: LifeName,
    request: { readonly clientId: ClientId; readonly cleanStart: boolean },
    token: FencingToken,
    silenceMaxMs: number,
  ): Promise<ConsentAnswer> {
    const { clientId, cleanStart } = request
    const id = ++this.#lastId
    this.discard(clientId)
    const { epoch, revision } = token
    const frame = { type: 'request', id, owner: incarnation, clientId, epoch, revision, cleanStart }
    if (!this.#channel.send(nodeId, frame)) return Promise.resolve('unreachable')
    return new Promise(settle => {
      const timer = this.#clock.schedule(silenceMaxMs, () => this.#settle(id, 'unreachable'))
      const endMs = this.#clock.now() + limits.transferMs
      this.#questions.set(id, { nodeId, clientId, token, silenceMaxMs, endMs, settle, timer, nextFrame: 0 })
    })
  }

  /** Whether the complete state of that session is staged here. */
  isStaged(clientId: ClientId): boolean {
    return this.#staged.has(clientId)
  }

  /** The claim succeeded with what is staged: it is the holder's, and the old owner is told. */
  taken(clientId: ClientId): void {
    const from = this.#staged.get(clientId)
    if (from === undefined) return
    this.#staged.delete(clientId)
    const { epoch, revision } = from.token
    this.#channel.send(from.nodeId, { type: 'moved', clientId, epoch, revision })
  }

  /** The claim did not succeed, or another begins. */
  discard(clientId: ClientId): void {
    if (this.#staged.delete(clientId)) this.#holder()?.unstage(clientId)
  }

  /** The link to one node is gone, or, undefined, this node leaves. */
  settleAll(nodeId: NodeId | undefined): void {
    for (const [id, question] of [...this.#questions]) {
      if (nodeId === undefined || question.nodeId === nodeId) this.#settle(id, 'unreachable')
    }
  }

  #onAnswer(from: PeerAddress, { id, answer }: Readonly<Record<string, unknown>>): boolean {
    if (!isCount(id) || (answer !== 'consent' && answer !== 'retry')) return false
    // Only the node that was asked may answer.
    if (this.#questions.get(id)?.nodeId === from.nodeId) this.#settle(id, answer)
    return true
  }

  #onSnapshot(from: PeerAddress, bytes: Uint8Array): boolean | 'asked' {
    const holder = this.#holder()
    const verdict = readAll(bytes, this.#clock.wallNow(), reader => {
      const id = reader.count()
      const index = reader.uint32()
      const isLast = reader.byte() === 1
      const question = this.#questions.get(id)
      if (question?.nodeId !== from.nodeId || holder === undefined) {
        reader.skip() // it was given up
        return true
      }
      if (index !== question.nextFrame++) return false
      if (index === 0 && !this.#begin(holder, question, reader)) return false
      while (!reader.isAtEnd) if (!holder.stage(question.clientId, reader.part())) return false
      if (isLast) this.#complete(holder, id, question)
      else this.#prolong(id, question)
      return 'asked'
    })
    return verdict ?? false
  }

  #begin(holder: SessionHolder, { clientId, nodeId, token }: Question, reader: PartReader): boolean {
    const { nextPosition, restTo, tails = [], ...session } = reader.session()
    if (session.clientId !== clientId) return false
    const rest = restTo === undefined ? {} : { restTo }
    const mark: TailMark = { from: nodeId, token, position: nextPosition, ...rest }
    const others = tails.filter(({ from }) => from !== nodeId).slice(1 - limits.tailMarksMax)
    holder.beginStaged({ ...session, token, tails: [...others, mark] }, { nodeId, token })
    return true
  }

  #prolong(id: number, question: Question): void {
    question.timer.cancel()
    const leftMs = Math.max(0, question.endMs - this.#clock.now())
    const delayMs = Math.min(question.silenceMaxMs, leftMs)
    question.timer = this.#clock.schedule(delayMs, () => this.#settle(id, 'unreachable'))
  }

  #complete(holder: SessionHolder, id: number, question: Question): void {
    holder.whenKept(() => {
      if (this.#questions.get(id) !== question) return
      const { clientId, nodeId, token } = question
      this.#staged.set(clientId, { nodeId, token })
      this.#settle(id, 'consent')
    })
  }

  #settle(id: number, answer: ConsentAnswer): void {
    const question = this.#questions.get(id)
    if (question === undefined) return
    this.#questions.delete(id)
    question.timer.cancel()
    const isBegun = question.nextFrame > 0
    if (isBegun && answer !== 'consent') this.#holder()?.unstage(question.clientId)
    question.settle(answer)
  }
}
