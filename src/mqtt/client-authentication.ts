/**
 * The enhanced authentication of one connection (MQTT 5 section 4.12): runs the exchanges of its method and answers the
 * client with AUTH packets.
 *
 * It judges nothing itself. Invariant: while a step is under way nothing more is read from the client.
 */
import type {
  AuthenticationExchange,
  AuthenticationMethod,
  AuthenticationOutcome,
} from '../core/ports/enhanced-authentication.ts'
import type { ClientConnection } from './client-connection.ts'
import { reason } from './reason-codes.ts'
import type { SinkAnswer } from './wire/packet-framer.ts'
import { encodeAuth } from './wire/control-encoder.ts'

/** What the end of an exchange leads to. */
export interface AuthenticationEnd {
  onSuccess(username: string, data: Uint8Array | undefined): void
  onFailure(reasonCode: number, detail: string): void
}

export class ClientAuthentication {
  readonly method: AuthenticationMethod
  username: string | undefined
  readonly #connection: ClientConnection
  readonly #clientId: string
  #exchange: AuthenticationExchange | undefined
  #end: AuthenticationEnd | undefined

  constructor(method: AuthenticationMethod, connection: ClientConnection, clientId: string) {
    this.method = method
    this.#connection = connection
    this.#clientId = clientId
  }

  get isUnderWay(): boolean {
    return this.#exchange !== undefined
  }

  begin(data: Uint8Array | undefined, end: AuthenticationEnd): SinkAnswer {
    this.#exchange = this.method.begin(this.#clientId)
    this.#end = end
    return this.step(data)
  }

  /** The client's next message. Answers `pause` when the method takes its time. */
  step(data: Uint8Array | undefined): SinkAnswer {
    let isDone = false
    let isAnswered = false
    this.#exchange?.step(data, outcome => {
      isDone = true
      if (this.#connection.state === 'closed') return
      this.#conclude(outcome)
      if (isAnswered) this.#connection.continueReading()
    })
    isAnswered = true
    if (this.#connection.state === 'closed') return 'closed'
    return isDone && this.#connection.state !== 'claiming' ? 'continue' : 'pause'
  }

  #conclude(outcome: AuthenticationOutcome): void {
    if (outcome.type === 'continue') {
      this.#connection.send(encodeAuth(reason.continueAuthentication, this.method.name, outcome.data))
      return
    }
    const end = this.#end
    this.#exchange = this.#end = undefined
    if (outcome.type === 'failure') {
      end?.onFailure(outcome.reasonCode, outcome.detail)
      return
    }
    this.username = outcome.username
    end?.onSuccess(outcome.username, outcome.data)
  }
}
