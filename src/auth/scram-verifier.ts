import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { saslPrepared } from './saslprep.ts'

/** What a server keeps instead of a password (RFC 5802 section 3). It is enough to guess passwords, not to log in. */
export interface ScramVerifier {
  readonly iterations: number
  readonly salt: Uint8Array
  /** 32 bytes: H(ClientKey). */
  readonly storedKey: Uint8Array
  /** 32 bytes. */
  readonly serverKey: Uint8Array
}

/** The least of RFC 7677; beyond the most a client would work for seconds on each connect. */
export const SCRAM_ITERATIONS_MIN = 4096
export const SCRAM_ITERATIONS_MAX = 1_000_000
export const SCRAM_SALT_BYTES_MIN = 8
export const SCRAM_SALT_BYTES_MAX = 64
/** Bytes of SHA-256, and so of keys and proofs. */
export const SCRAM_KEY_BYTES = 32

export function hmacSha256(key: Uint8Array, message: string): Buffer {
  return createHmac('sha256', key).update(message).digest()
}

export function sha256(data: Uint8Array): Buffer {
  return createHash('sha256').update(data).digest()
}

/**
 * The verifier of a password. Blocks for as long as `iterations` of PBKDF2 take (a fifth of a second at the most
 * allowed), so it is for tools, not for a serving node. Throws a RangeError, with a reason meant for people, when the
 * password cannot be used (see `saslPrepared`) or iterations or salt are out of bounds.
 */
export function makeVerifier(password: string, iterations: number, salt: Uint8Array): ScramVerifier {
  const fault = iterationsFault(iterations) ?? saltFault(salt)
  if (fault !== undefined) throw new RangeError(fault)
  const prepared = saslPrepared(password)
  if (prepared === undefined) throw new RangeError('the password is empty or has control characters')
  const salted = pbkdf2Sync(prepared, salt, iterations, SCRAM_KEY_BYTES, 'sha256')
  return {
    iterations,
    salt: Uint8Array.from(salt),
    storedKey: sha256(hmacSha256(salted, 'Client Key')),
    serverKey: hmacSha256(salted, 'Server Key'),
  }
}

/** `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>` in base64, as PostgreSQL has it in `rolpassword`. */
export function formatVerifier({ iterations, salt, storedKey, serverKey }: ScramVerifier): string {
  return `SCRAM-SHA-256$${iterations}:${base64(salt)}$${base64(storedKey)}:${base64(serverKey)}`
}

/** Reads what `formatVerifier` writes; a string says what is wrong, without quoting any of it. */
export function parseVerifier(text: string): ScramVerifier | string {
  const parts = /^SCRAM-SHA-256\$(\d{1,10}):([^$:]*)\$([^$:]*):([^$:]*)$/.exec(text)
  if (parts === null) return 'expected SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>'
  const iterations = Number(parts[1])
  const salt = fromBase64(parts[2] ?? '')
  const storedKey = fromBase64(parts[3] ?? '')
  const serverKey = fromBase64(parts[4] ?? '')
  if (salt === undefined) return 'the salt is not base64'
  if (storedKey?.length !== SCRAM_KEY_BYTES) return `StoredKey is not ${SCRAM_KEY_BYTES} bytes in base64`
  if (serverKey?.length !== SCRAM_KEY_BYTES) return `ServerKey is not ${SCRAM_KEY_BYTES} bytes in base64`
  return iterationsFault(iterations) ?? saltFault(salt) ?? { iterations, salt, storedKey, serverKey }
}

/** Bytes of canonical base64 with padding; undefined for anything else. */
export function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

function iterationsFault(iterations: number): string | undefined {
  if (
    Number.isInteger(iterations) &&
    iterations >= SCRAM_ITERATIONS_MIN &&
    iterations <= SCRAM_ITERATIONS_MAX
  ) {
    return undefined
  }
  return `the iterations are not ${SCRAM_ITERATIONS_MIN} to ${SCRAM_ITERATIONS_MAX}`
}

function saltFault(salt: Uint8Array): string | undefined {
  if (salt.length >= SCRAM_SALT_BYTES_MIN && salt.length <= SCRAM_SALT_BYTES_MAX) return undefined
  return `the salt is not ${SCRAM_SALT_BYTES_MIN} to ${SCRAM_SALT_BYTES_MAX} bytes`
}
