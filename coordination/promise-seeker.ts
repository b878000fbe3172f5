/**
 * The promises this node relies on while it cannot renew its lease (PROTOCOLS section 2.6).
 *
 * It asks every witness and keeps the earliest end; when to ask, and what hangs on it, is the business of `Presence`.
 * Invariant: `isHeld` answers true only while every witness is bound: each end counts from the moment its question was
 * sent, less the margin, by the monotonic clock and by the wall clock. Without a witness there is nobody to keep others
 * away, so a node that is alone never relies on promises.
 */
import type { NodeId } from '../src/core/ids.ts'
import type { Clock } from '../src/core/ports/clock.ts'
import { Deadline } from './deadline.ts'
import type { LifeName } from './keys.ts'
import { lifeKey } from './promise-keeper.ts'

interface Question {
  readonly id: number
  readonly sentMs: number
  readonly sentWallMs: number
}

interface Witness {
  question: Question | undefined
  readonly end: Deadline
}

/** An unanswered question is asked again after this. */
const ASK_AGAIN_MS = 1000

export class PromiseSeeker {
  readonly #clock: Clock
  readonly #options: { readonly promiseMs: number; readonly marginMs: number }
  readonly #send: (nodeId: NodeId, id: number, forMs: number) => void
  readonly #onExtended: () => void
  readonly #witnesses = new Map<string, Witness & LifeName>()
  #lastId = 0

  constructor(
    clock: Clock,
    options: { readonly promiseMs: number; readonly marginMs: number },
    send: (nodeId: NodeId, id: number, forMs: number) => void,
    onExtended: () => void,
  ) {
    this.#clock = clock
    this.#options = options
    this.#send = send
    this.#onExtended = onExtended
  }

  /** Whose promises are needed: all of them. */
  setWitnesses(lives: readonly LifeName[]): void {
    const keys = new Set(lives.map(lifeKey))
    for (const key of this.#witnesses.keys()) if (!keys.has(key)) this.#witnesses.delete(key)
    for (const { nodeId, incarnation } of lives) {
      const key = lifeKey({ nodeId, incarnation })
      if (this.#witnesses.has(key)) continue
      this.#witnesses.set(key, { nodeId, incarnation, question: undefined, end: new Deadline(this.#clock) })
    }
  }

  isHeld(): boolean {
    for (const { end } of this.#witnesses.values()) if (!end.isAhead()) return false
    return this.#witnesses.size > 0
  }

  /** Monotonic ms until which they are all bound; -Infinity when they are not. */
  get deadlineMs(): number {
    let earliestMs = this.#witnesses.size > 0 ? Infinity : -Infinity
    for (const { end } of this.#witnesses.values()) earliestMs = Math.min(earliestMs, end.atMs)
    return earliestMs
  }

  /** Asks those whose promise is not there or runs out soon. To be called again and again while promises are needed. */
  seek(): void {
    const { promiseMs } = this.#options
    const sentMs = this.#clock.now()
    for (const witness of this.#witnesses.values()) {
      const isFresh = witness.end.atMs - sentMs > promiseMs / 2
      const isAsked = witness.question !== undefined && sentMs - witness.question.sentMs < ASK_AGAIN_MS
      if (isFresh || isAsked) continue
      const id = ++this.#lastId
      witness.question = { id, sentMs, sentWallMs: this.#clock.wallNow() }
      this.#send(witness.nodeId, id, promiseMs)
    }
  }

  /** `forMs` 0: it promises nothing. */
  onAnswer(from: LifeName, id: number, forMs: number): void {
    const witness = this.#witnesses.get(lifeKey(from))
    const question = witness?.question
    if (witness === undefined || question?.id !== id) return
    if (forMs <= 0) return
    witness.question = undefined
    const reliableMs = Math.min(forMs, this.#options.promiseMs) - this.#options.marginMs
    witness.end.set(question.sentMs, question.sentWallMs, reliableMs)
    this.#onExtended()
  }

  /** What was promised is relied on no longer, and answers still on their way are not either. */
  drop(): void {
    for (const witness of this.#witnesses.values()) {
      witness.question = undefined
      witness.end.clear()
    }
  }
}
