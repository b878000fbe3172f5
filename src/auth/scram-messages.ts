/**
 * The two messages of a SCRAM client (RFC 5802 section 7), taken apart. Parsing is strict: UTF-8 without errors or NUL,
 * attributes in the order of the grammar, canonical base64. A string instead of a message says what is wrong; it is
 * for the log. Nothing is verified here but form.
 */
import { fromBase64, SCRAM_KEY_BYTES } from './scram-verifier.ts'

/** Longer messages are refused; they bound names, nonces and all that is kept of an exchange. */
export const SCRAM_MESSAGE_BYTES_MAX = 4096

export interface ClientFirstMessage {
  /** Header with its last comma, as it must come back in `c=`. */
  readonly gs2Header: string
  /** All after the header: the first part of the AuthMessage. */
  readonly bare: string
  /** Unescaped, not prepared. */
  readonly username: string
  /** Unescaped; undefined when the client asks for no other identity than its own. */
  readonly authorizationId: string | undefined
  readonly nonce: string
}

export interface ClientFinalMessage {
  readonly channelBinding: Uint8Array
  readonly nonce: string
  readonly proof: Uint8Array
  /** The last part of the AuthMessage. */
  readonly withoutProof: string
}

const NAME_TEXT = /^(?:[^=]|=2C|=3D)+$/u
/** Commas cannot occur: messages are split at them. */
const NONCE = /^[\x21-\x7e]+$/
const EXTENSION = /^[A-Za-z]=./su

export function parseClientFirst(data: Uint8Array): ClientFirstMessage | string {
  const text = messageText(data)
  if (text === undefined) return 'the first message is too long or not UTF-8'
  const [flag = '', authzid = '', ...attributes] = text.split(',')
  if (flag.startsWith('p=')) return 'the client demands channel binding, which is not supported'
  if (flag !== 'n' && flag !== 'y') return 'the first message has no GS2 header'
  const authorizationId = authzid === '' ? undefined : unescapedName(authzid, 'a=')
  if (authzid !== '' && authorizationId === undefined) return 'the authorization identity is malformed'
  const [name = '', random = '', ...extensions] = attributes
  if (name.startsWith('m=')) return 'the client demands an extension, which is not supported'
  const username = unescapedName(name, 'n=')
  if (username === undefined) return 'the user name is malformed'
  const nonce = nonceOf(random)
  if (nonce === undefined) return 'the client nonce is malformed'
  const fault = extensionFault(extensions)
  if (fault !== undefined) return fault
  const gs2Header = `${flag},${authzid},`
  return { gs2Header, bare: text.slice(gs2Header.length), username, authorizationId, nonce }
}

export function parseClientFinal(data: Uint8Array): ClientFinalMessage | string {
  const text = messageText(data)
  if (text === undefined) return 'the final message is too long or not UTF-8'
  const parts = text.split(',')
  if (parts.length < 3) return 'the final message is malformed'
  const [binding = '', random = '', ...rest] = parts
  const last = rest.pop() ?? ''
  const channelBinding = binding.startsWith('c=') ? fromBase64(binding.slice(2)) : undefined
  if (channelBinding === undefined) return 'the channel binding is malformed'
  const nonce = nonceOf(random)
  if (nonce === undefined) return 'the nonce is malformed'
  const proof = last.startsWith('p=') ? fromBase64(last.slice(2)) : undefined
  if (proof?.length !== SCRAM_KEY_BYTES) return 'the proof is malformed'
  const fault = extensionFault(rest)
  if (fault !== undefined) return fault
  return { channelBinding, nonce, proof, withoutProof: text.slice(0, -last.length - 1) }
}

function messageText(data: Uint8Array): string | undefined {
  if (data.length > SCRAM_MESSAGE_BYTES_MAX || data.includes(0)) return undefined
  try {
    // A byte order mark is kept, as the AuthMessage is made of what was sent.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)
  } catch {
    return undefined
  }
}

function unescapedName(attribute: string, prefix: string): string | undefined {
  const value = attribute.slice(prefix.length)
  if (!attribute.startsWith(prefix) || !NAME_TEXT.test(value)) return undefined
  return value.replaceAll('=2C', ',').replaceAll('=3D', '=')
}

function nonceOf(attribute: string): string | undefined {
  const value = attribute.slice(2)
  return attribute.startsWith('r=') && NONCE.test(value) ? value : undefined
}

/** Optional extensions are ignored, a mandatory one (`m=`) is refused wherever it stands. */
function extensionFault(extensions: readonly string[]): string | undefined {
  for (const extension of extensions) {
    if (!EXTENSION.test(extension)) return 'an extension is malformed'
    if (extension.startsWith('m=')) return 'the client demands an extension, which is not supported'
  }
  return undefined
}
