/**
 * Enhanced authentication (MQTT 5 section 4.12) as an extension point: a challenge and response that the broker
 * carries and an implementation judges.
 *
 * The broker picks the method by the Authentication Method property, begins one exchange per CONNECT and one more per
 * re-authentication, hands it the client's Authentication Data and does what the outcome says. It keeps time (a client
 * that stalls is closed), lets a client that was connected re-authenticate by the same method only [MQTT-4.12.1-1], and
 * decides whether a re-authentication may end with another user name. A method knows neither packets nor sockets.
 */
import type { ClientId } from '../ids.ts'

export interface AuthenticationMethod {
  /** What clients send as Authentication Method, compared code point by code point; unique among methods of a node. */
  readonly name: string
  /** A new exchange, used for one authentication only. Cheap: strangers cause it. `clientId` may be an assigned one. */
  begin(clientId: ClientId): AuthenticationExchange
}

export interface AuthenticationExchange {
  /**
   * Takes what the client sent. The first step is the data of CONNECT, or of AUTH 0x19; each later one that of AUTH
   * 0x18. `data` is undefined when the packet had no Authentication Data, at most 65,535 bytes, from anybody and of any
   * content, and only valid during the call.
   *
   * `done` is called exactly once, in this turn or a later one; until then the broker takes no further step and reads
   * nothing more from the client. Whatever a client sends ends in an outcome: a step never throws. After a success or
   * failure every further step is a failure. An exchange asks for a bounded number of steps.
   *
   * The broker may drop an exchange between steps or while one is under way, without a word; it ignores a late `done`.
   * So an exchange that waits bounds its wait and frees what it holds by itself.
   */
  step(data: Uint8Array | undefined, done: (outcome: AuthenticationOutcome) => void): void
}

/**
 * `data` goes to the client as Authentication Data: at most 65,535 bytes, not changed afterwards, no property at all
 * when undefined.
 */
export type AuthenticationOutcome =
  /** AUTH 0x18; the client has to answer. */
  | { readonly type: 'continue'; readonly data: Uint8Array | undefined }
  /** The client is `username`: CONNACK 0x00, or AUTH 0x00 at a re-authentication. */
  | { readonly type: 'success'; readonly username: string; readonly data: Uint8Array | undefined }
  /** CONNACK, or DISCONNECT at a re-authentication, and the connection is closed. */
  | {
      readonly type: 'failure'
      readonly reasonCode: AuthenticationFailureCode
      /** For the log only: it may say what the client must not learn. */
      readonly detail: string
    }

/** Unspecified, implementation specific, not authorized, busy: codes that both CONNACK and DISCONNECT may carry. */
export type AuthenticationFailureCode = 0x80 | 0x83 | 0x87 | 0x89
