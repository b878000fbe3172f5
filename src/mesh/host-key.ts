import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { GrapevineError } from '../core/errors.ts'

/** A new Ed25519 host key as protobuf bytes, to be kept for the life of the data directory: it fixes the peer id. */
export async function generateHostKey(): Promise<Uint8Array> {
  return privateKeyToProtobuf(await generateKeyPair('Ed25519'))
}

/** Opens what `generateHostKey` made. Throws `GrapevineError` STORE_CORRUPT when the bytes are anything else. */
export function openHostKey(bytes: Uint8Array): PrivateKey {
  try {
    return privateKeyFromProtobuf(bytes)
  } catch (error) {
    throw new GrapevineError(
      'STORE_CORRUPT',
      'the stored libp2p host key cannot be read: this node has no identity towards its peers; restore the data directory or start with an empty one',
      { cause: error },
    )
  }
}
