/**
 * The server's side of one SCRAM-SHA-256 authentication (RFC 5802, RFC 7677) without channel binding: client-first,
 * server-first, client-final, server-final. Answers in the same turn; costs six HMACs, as the client does the expensive
 * part.
 *
 * Never tells whether a user exists: an unknown one gets a challenge like any other and fails at the proof, with the
 * code of a wrong password. Succeeds at most once, and only for a proof over exactly the messages of this exchange.
 */
import { timingSafeEqual } from 'node:crypto'
import type { AuthenticationExchange, AuthenticationOutcome } from '../core/ports/enhanced-authentication.ts'
import { saslPrepared } from './saslprep.ts'
import { parseClientFinal, parseClientFirst } from './scram-messages.ts'
import { hmacSha256, sha256, type ScramVerifier } from './scram-verifier.ts'

/** MQTT 5 section 2.4: Not authorized. */
const NOT_AUTHORIZED = 0x87
const NAME_LENGTH_IN_LOG = 64

export interface FoundVerifier {
  readonly verifier: ScramVerifier
  /** False: made up for a name that nobody has; no proof fits it. */
  readonly isKnown: boolean
}

interface Challenge {
  readonly username: string
  readonly found: FoundVerifier
  readonly gs2Header: string
  /** Of both sides, one after the other. */
  readonly nonce: string
  /** `client-first-message-bare "," server-first-message`. */
  readonly messages: string
}

export class ScramExchange implements AuthenticationExchange {
  readonly #serverNonce: string
  readonly #find: (username: string) => FoundVerifier
  #state: 'new' | 'over' | Challenge = 'new'

  /**
   * `serverNonce`: unpredictable, never used twice, printable ASCII without comma. `find` is given prepared names and
   * has a verifier for every name.
   */
  constructor(serverNonce: string, find: (username: string) => FoundVerifier) {
    this.#serverNonce = serverNonce
    this.#find = find
  }

  step(data: Uint8Array | undefined, done: (outcome: AuthenticationOutcome) => void): void {
    const state = this.#state
    this.#state = 'over'
    if (state === 'over') return done(failure('the exchange is over'))
    if (data === undefined) return done(failure('a SCRAM message is missing'))
    done(state === 'new' ? this.#challenge(data) : verify(state, data))
  }

  #challenge(data: Uint8Array): AuthenticationOutcome {
    const first = parseClientFirst(data)
    if (typeof first === 'string') return failure(first)
    const username = saslPrepared(first.username)
    if (username === undefined) return failure('the user name has prohibited characters')
    const { authorizationId, gs2Header, bare } = first
    if (authorizationId !== undefined && saslPrepared(authorizationId) !== username) {
      return failure(`user ${inLog(username)} asks to act as ${inLog(authorizationId)}`)
    }
    const found = this.#find(username)
    const { salt, iterations } = found.verifier
    const nonce = first.nonce + this.#serverNonce
    const serverFirst = `r=${nonce},s=${Buffer.from(salt).toString('base64')},i=${iterations}`
    this.#state = { username, found, gs2Header, nonce, messages: `${bare},${serverFirst}` }
    return { type: 'continue', data: Buffer.from(serverFirst) }
  }
}

function verify(challenge: Challenge, data: Uint8Array): AuthenticationOutcome {
  const final = parseClientFinal(data)
  if (typeof final === 'string') return failure(final)
  const { username, found, gs2Header, nonce, messages } = challenge
  if (!Buffer.from(gs2Header).equals(final.channelBinding)) return failure('the GS2 header was changed')
  if (final.nonce !== nonce) return failure('the nonce is not that of this exchange')
  const { storedKey, serverKey } = found.verifier
  const authMessage = `${messages},${final.withoutProof}`
  const signature = hmacSha256(storedKey, authMessage)
  const clientKey = final.proof.map((byte, index) => byte ^ (signature[index] ?? 0))
  const serverSignature = hmacSha256(serverKey, authMessage)
  const isProof = timingSafeEqual(sha256(clientKey), storedKey)
  if (!found.isKnown) return failure(`there is no user ${inLog(username)}`)
  if (!isProof) return failure(`wrong password of user ${inLog(username)}`)
  return { type: 'success', username, data: Buffer.from(`v=${serverSignature.toString('base64')}`) }
}

function failure(detail: string): AuthenticationOutcome {
  return { type: 'failure', reasonCode: NOT_AUTHORIZED, detail }
}

function inLog(name: string): string {
  return JSON.stringify(name.length > NAME_LENGTH_IN_LOG ? `${name.slice(0, NAME_LENGTH_IN_LOG)}…` : name)
}
