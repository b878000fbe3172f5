/**
 * The question "may I have this session?" between two live members, and its answer (PROTOCOLS section 4.1).
 *
 * It carries messages on the `session` channel and matches answers with questions; who owns what it does not know.
 * Invariant: every question asked is settled exactly once, within its time. Frames are JSON with a version, so that they
 * can be read in a capture; anything else closes the link.
 */
import type { ClientId, FencingToken, Incarnation, NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Clock, Timer } from '../src/core/ports/clock.ts'
import type { PeerAddress, PeerTransport } from '../src/core/ports/peer-transport.ts'
import { parseRecord } from './member-record.ts'

/**
 * `consent`: the owner has stopped serving the session. `retry`: it is not, or not yet, as the asker believes; look again.
 * `unreachable`: no answer.
 */
export type ConsentAnswer = 'consent' | 'retry' | 'unreachable'

/** Asked of the owner, in the turn the question arrives. */
export type ConsentJudge = (clientId: ClientId, token: FencingToken, claimant: NodeId) => 'consent' | 'retry'

interface Question {
  readonly nodeId: NodeId
  readonly timer: Timer
  readonly settle: (answer: ConsentAnswer) => void
}

type SessionFrame =
  | {
      readonly v: 1
      readonly type: 'request'
      readonly id: number
      /** Incarnation asked: a question to an earlier life is not for this one. */
      readonly owner: Incarnation
      readonly clientId: ClientId
      readonly epoch: number
      readonly revision: number
    }
  | { readonly v: 1; readonly type: 'answer'; readonly id: number; readonly answer: 'consent' | 'retry' }

export class SessionConsent {
  readonly #transport: PeerTransport
  readonly #clock: Clock
  readonly #judge: ConsentJudge
  readonly #questions = new Map<number, Question>()
  readonly #ownIncarnation: () => Incarnation
  #lastId = 0

  constructor(
    { transport, clock }: { transport: PeerTransport; clock: Clock },
    ownIncarnation: () => Incarnation,
    judge: ConsentJudge,
  ) {
    this.#transport = transport
    this.#clock = clock
    this.#ownIncarnation = ownIncarnation
    this.#judge = judge
    transport.onFrame('session', (from, frame) => this.#onFrame(from, frame))
    transport.addPeerListener({
      onPeerUp: () => {},
      onPeerDown: ({ nodeId }) => this.#settleAll(nodeId),
    })
  }

  /** Asks the owner of `clientId` under `token`. Never rejects. */
  ask(
    owner: { readonly nodeId: NodeId; readonly incarnation: Incarnation },
    clientId: ClientId,
    { epoch, revision }: FencingToken,
    withinMs: number,
  ): Promise<ConsentAnswer> {
    const id = ++this.#lastId
    const { nodeId, incarnation } = owner
    const isSent = this.#send(nodeId, {
      v: 1,
      type: 'request',
      id,
      owner: incarnation,
      clientId,
      epoch,
      revision,
    })
    if (!isSent) return Promise.resolve('unreachable')
    return new Promise(settle => {
      const timer = this.#clock.schedule(withinMs, () => this.#settle(id, 'unreachable'))
      this.#questions.set(id, { nodeId, timer, settle })
    })
  }

  close(): void {
    this.#settleAll(undefined)
  }

  #send(nodeId: NodeId, frame: SessionFrame): boolean {
    return this.#transport.send(nodeId, 'session', new TextEncoder().encode(JSON.stringify(frame)))
  }

  #onFrame(from: PeerAddress, bytes: Uint8Array): void {
    const frame = decodeFrame(bytes)
    if (frame === undefined) {
      this.#transport.disconnect(from.nodeId, 'a session frame this version does not understand')
    } else if (frame.type === 'answer') {
      // Only the node that was asked may answer.
      if (this.#questions.get(frame.id)?.nodeId === from.nodeId) this.#settle(frame.id, frame.answer)
    } else {
      const { id, owner, clientId, epoch, revision } = frame
      const isForThisLife = owner === this.#ownIncarnation()
      const answer = isForThisLife ? this.#judge(clientId, { epoch, revision }, from.nodeId) : 'retry'
      // An answer that cannot be sent is asked for again.
      this.#send(from.nodeId, { v: 1, type: 'answer', id, answer })
    }
  }

  #settle(id: number, answer: ConsentAnswer): void {
    const question = this.#questions.get(id)
    if (question === undefined) return
    this.#questions.delete(id)
    question.timer.cancel()
    question.settle(answer)
  }

  /** Of one node, or of all. */
  #settleAll(nodeId: NodeId | undefined): void {
    for (const [id, question] of [...this.#questions]) {
      if (nodeId === undefined || question.nodeId === nodeId) this.#settle(id, 'unreachable')
    }
  }
}

function decodeFrame(bytes: Uint8Array): SessionFrame | undefined {
  if (bytes.byteLength > limits.sessionFrameBytesMax) return undefined
  const { v, type, id, owner, clientId, epoch, revision, answer } = parseRecord(bytes) ?? {}
  if (v !== 1 || !isCount(id)) return undefined
  if (type === 'answer' && (answer === 'consent' || answer === 'retry')) return { v, type, id, answer }
  if (type !== 'request' || typeof clientId !== 'string') return undefined
  if (!isCount(owner) || !isCount(epoch) || !isCount(revision)) return undefined
  return { v, type, id, owner, clientId, epoch, revision }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
