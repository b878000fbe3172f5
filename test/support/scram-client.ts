import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

/** The client's side of SCRAM-SHA-256 (RFC 5802 and RFC 7677), without channel binding. */
export class ScramClient {
  readonly #password: string
  readonly #firstBare: string
  readonly #nonce: string
  #serverSignature = ''

  constructor(user: string, password: string, nonce = randomBytes(18).toString('base64')) {
    this.#password = password
    this.#nonce = nonce
    this.#firstBare = `n=${user.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${this.#nonce}`
  }

  get first(): Buffer {
    return Buffer.from(`n,,${this.#firstBare}`)
  }

  /** The answer to the server's first message; throws if that does not go with ours. */
  final(serverFirst: Uint8Array): Buffer {
    const message = Buffer.from(serverFirst).toString()
    const fields = new Map(message.split(',').map(part => [part[0], part.slice(2)]))
    const [nonce, salt, iterations] = [fields.get('r'), fields.get('s'), Number(fields.get('i'))]
    if (
      nonce === undefined ||
      salt === undefined ||
      !nonce.startsWith(this.#nonce) ||
      !(iterations >= 4096)
    ) {
      throw new Error(`not an answer to our SCRAM message: ${message}`)
    }
    const salted = pbkdf2Sync(this.#password, Buffer.from(salt, 'base64'), iterations, 32, 'sha256')
    const withoutProof = `c=biws,r=${nonce}`
    const authMessage = `${this.#firstBare},${message},${withoutProof}`
    const clientKey = hmac(salted, 'Client Key')
    const signature = hmac(createHash('sha256').update(clientKey).digest(), authMessage)
    const proof = clientKey.map((byte, index) => byte ^ (signature[index] as number))
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), authMessage).toString('base64')
    return Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString('base64')}`)
  }

  /** Whether the server's last message proves that it knows the password, too. */
  isServer(serverFinal: Uint8Array | undefined): boolean {
    return serverFinal !== undefined && Buffer.from(serverFinal).toString() === `v=${this.#serverSignature}`
  }
}

function hmac(key: Uint8Array, message: string): Buffer {
  return createHmac('sha256', key).update(message).digest()
}
