import { hkdfSync } from 'node:crypto'
import type { AuthenticationExchange, AuthenticationMethod } from '../core/ports/enhanced-authentication.ts'
import type { Random } from '../core/ports/random.ts'
import { ScramExchange, type FoundVerifier } from './scram-exchange.ts'
import {
  SCRAM_ITERATIONS_MIN,
  SCRAM_KEY_BYTES,
  SCRAM_SALT_BYTES_MAX,
  type ScramVerifier,
} from './scram-verifier.ts'

export interface ScramOptions {
  /** By prepared user name (`saslPrepared`), as `loadScramVerifiers` gives them. Not changed afterwards. */
  readonly verifiers: ReadonlyMap<string, ScramVerifier>
  readonly random: Random
  /**
   * At least 16 random bytes, from which the challenges of unknown users are made. A name that gets another salt from
   * another node or after a restart is an unknown one; nodes that shall not show that have the same secret for good.
   */
  readonly probeSecret: Uint8Array
}

/** A salt as PostgreSQL makes them. */
const SALT_BYTES = 16
const NONCE_BYTES = 18

/**
 * The authentication method SCRAM-SHA-256 (RFC 7677). A new file of verifiers is a new method; exchanges that have
 * begun end with what they began with.
 */
export class ScramSha256 implements AuthenticationMethod {
  readonly name = 'SCRAM-SHA-256'
  readonly #options: ScramOptions
  readonly #known: readonly ScramVerifier[]
  readonly #find = (username: string): FoundVerifier => this.#verifierOf(username)

  constructor(options: ScramOptions) {
    if (options.probeSecret.length < 16) throw new Error('the probe secret is shorter than 16 bytes')
    this.#options = options
    this.#known = [...options.verifiers.values()]
  }

  /** Any user may use any client id here; that is a question of authorisation. */
  begin(): AuthenticationExchange {
    const nonce = Buffer.from(this.#options.random.bytes(NONCE_BYTES)).toString('base64')
    return new ScramExchange(nonce, this.#find)
  }

  #verifierOf(username: string): FoundVerifier {
    // Made for known names as well, so that both take the same time.
    const madeUp = this.#madeUpVerifier(username)
    const known = this.#options.verifiers.get(username)
    return known === undefined ? { verifier: madeUp, isKnown: false } : { verifier: known, isKnown: true }
  }

  /** Always the same for a name, with iterations and a length of salt as some known user has them. */
  #madeUpVerifier(username: string): ScramVerifier {
    const length = 4 + SCRAM_SALT_BYTES_MAX + 2 * SCRAM_KEY_BYTES
    const bytes = Buffer.from(
      hkdfSync('sha256', this.#options.probeSecret, username, 'SCRAM-SHA-256 unknown user', length),
    )
    const model = this.#known[bytes.readUInt32BE(0) % Math.max(1, this.#known.length)]
    const salt = bytes.subarray(4, 4 + SCRAM_SALT_BYTES_MAX)
    const keys = bytes.subarray(4 + SCRAM_SALT_BYTES_MAX)
    return {
      iterations: model?.iterations ?? SCRAM_ITERATIONS_MIN,
      salt: salt.subarray(0, model?.salt.length ?? SALT_BYTES),
      storedKey: keys.subarray(0, SCRAM_KEY_BYTES),
      serverKey: keys.subarray(SCRAM_KEY_BYTES),
    }
  }
}
