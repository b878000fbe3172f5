import assert from 'node:assert/strict'
import { ScramSha256 } from '../../src/auth/scram-sha-256.ts'
import { makeVerifier, type ScramVerifier } from '../../src/auth/scram-verifier.ts'
import type {
  AuthenticationExchange,
  AuthenticationOutcome,
} from '../../src/core/ports/enhanced-authentication.ts'
import { SystemRandom } from '../../src/system/system-random.ts'

/** The outcome of a step of a method that answers at once. */
export function stepOf(
  exchange: AuthenticationExchange,
  data: Uint8Array | string | undefined,
): AuthenticationOutcome {
  const outcomes: AuthenticationOutcome[] = []
  exchange.step(typeof data === 'string' ? Buffer.from(data) : data, outcome => outcomes.push(outcome))
  assert.equal(outcomes.length, 1, 'an outcome, and only one')
  return outcomes[0] as AuthenticationOutcome
}

/** The server-first message to a client-first message. */
export function challengeOf(exchange: AuthenticationExchange, first: Uint8Array | string): Buffer {
  const outcome = stepOf(exchange, first)
  assert(outcome.type === 'continue' && outcome.data !== undefined, JSON.stringify(outcome))
  return Buffer.from(outcome.data)
}

/** A reason to refuse is part of the log's contract, so tests may look for a word of it. */
export function assertFailure(outcome: AuthenticationOutcome, detail?: RegExp): void {
  assert(outcome.type === 'failure', `not refused: ${JSON.stringify(outcome)}`)
  assert.equal(outcome.reasonCode, 0x87)
  if (detail !== undefined) assert.match(outcome.detail, detail)
}

export function verifierOf(password: string, iterations = 4096, saltBytes = 16): ScramVerifier {
  return makeVerifier(password, iterations, new SystemRandom().bytes(saltBytes))
}

export function methodFor(
  verifiers: Readonly<Record<string, ScramVerifier>>,
  probeSecret: Uint8Array = Buffer.alloc(32, 7),
): ScramSha256 {
  return new ScramSha256({
    verifiers: new Map(Object.entries(verifiers)),
    random: new SystemRandom(),
    probeSecret,
  })
}
