import type { LocalMatch } from '../core/ports/routing.ts'
import type { Publication } from '../core/publication.ts'
import { isAbsent } from '../core/retained-entry.ts'
import type { RetainedMessages } from './retained-messages.ts'
import type { Session } from './session.ts'

/** Messages whose payloads are asked for at once, the next one included. */
const ASKED_AHEAD = 8
/** Larger payloads are asked for in their turn only, so that slow clients do not hold many of them. */
const ASKED_AHEAD_BYTES_MAX = 32 * 1024

interface Pending {
  /** Undefined: there is no such message any more. Those without payload are replaced when it has come. */
  readonly messages: (Publication | undefined)[]
  readonly match: LocalMatch
  next: number
  /** Before this one all payloads have been asked for. */
  asked: number
}

/**
 * Retained messages on their way to one connection, handed over as fast as the client takes them, so that a wildcard
 * subscription neither overruns the client nor fills its session's queue. What is left when the connection ends is dropped:
 * retained messages are for those who are there. A message whose payload must come from another node holds up those behind it, so
 * that they leave in order; what its topic has when the payload is here is what is delivered.
 */
export class RetainedDelivery {
  readonly #session: Session
  readonly #retained: Pick<RetainedMessages, 'complete'>
  #pending: Pending[] = []
  #isPumping = false

  constructor(session: Session, retained: Pick<RetainedMessages, 'complete'>) {
    this.#session = session
    this.#retained = retained
  }

  get isDone(): boolean {
    return this.#pending.length === 0
  }

  /** `messages` are its own from now on. */
  add(messages: Publication[], match: LocalMatch): void {
    if (messages.length > 0) this.#pending.push({ messages, match, next: 0, asked: 0 })
    this.pump()
  }

  /** Hands over what the client takes now. To be called again when it may take more. */
  pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    for (let current = this.#pending[0]; current !== undefined; current = this.#pending[0]) {
      if (!this.#hasGiven(current)) break
      this.#pending.shift()
    }
    this.#isPumping = false
  }

  /** The connection ends. */
  close(): void {
    this.#pending = []
  }

  /** False: the client, or a payload, must be waited for. */
  #hasGiven(current: Pending): boolean {
    const { messages, match } = current
    for (; current.next < messages.length; current.next++) {
      if (!this.#session.canTakeRetained) return false
      this.#ask(current)
      const message = messages[current.next]
      if (message === undefined) continue
      if (isAbsent(message)) return false
      this.#session.deliverRetained(message, match)
      messages[current.next] = undefined
    }
    return true
  }

  #ask(current: Pending): void {
    const { messages } = current
    while (current.asked < messages.length && current.asked < current.next + ASKED_AHEAD) {
      const index = current.asked
      const message = messages[index]
      const isLacking = message !== undefined && isAbsent(message)
      if (isLacking && message.absentBytes > ASKED_AHEAD_BYTES_MAX && index > current.next) return
      current.asked++
      if (!isLacking) continue
      this.#retained.complete(message.topic, whole => {
        messages[index] = whole
        this.pump()
      })
    }
  }
}
