import type { ClientId } from '../core/ids.ts'
import type { MessageId } from '../core/publication.ts'
import { corrupt } from './record-seal.ts'

/*
 * Where the session journal keeps what, in the order a pass over the keys meets it:
 *
 *   session/<client>/0                   the session
 *   session/<client>/1/<filter>          a subscription
 *   session/<client>/2/<position>        a queued or released message; 16 decimal digits, so that keys sort by position
 *   session/<client>/3/<packet id>       a received QoS 2 packet identifier, decimal
 *   session/<client>/4                   the will
 *   session/<client>/5/<inc>-<number>    a publication it has had and may be sent again; its id, decimal
 *   session/<client>/~0 … ~5             the same in another slot, in the next one with ~~, and so on
 *
 * A session lies in one slot, what another node is handing over in another, and what an earlier session of that name left to
 * others where that one lay; the record at 0 says which is which. So what was staged comes into force, and what is left stays,
 * without being written again.
 *
 * `<client>` is the client id percent-encoded: it holds no `/`, so no client's keys are a prefix of another's, whatever
 * clients call themselves, and the keys of one client lie together. The filter is the rest of the key, as it is.
 */

export const SESSIONS_PREFIX = 'session/'

const POSITION_DIGITS = 16
const ZEROS = '0'.repeat(POSITION_DIGITS)
const KEY =
  /^session\/([^/]*)\/(~*)(?:(0)|1\/([^]+)|2\/([0-9]{16})|3\/([0-9]{1,5})|(4)|5\/([0-9]{1,16})-([0-9]{1,16}))$/

/** '': the first, '~': the second, '~~': the third … */
export type Slot = string

/** What a key of the journal names. */
type SessionKey = { readonly clientId: ClientId; readonly slot: Slot } & (
  | { readonly type: 'session' }
  | { readonly type: 'subscription'; readonly filter: string }
  | { readonly type: 'queued'; readonly position: number }
  | { readonly type: 'received'; readonly packetId: number }
  | { readonly type: 'will' }
  | { readonly type: 'known'; readonly id: MessageId }
)

/** The part all keys of a client's slot begin with. */
export function clientPrefix(clientId: ClientId, slot: Slot = ''): string {
  return `${SESSIONS_PREFIX}${encodeURIComponent(clientId)}/${slot}`
}

export function sessionKey(prefix: string): string {
  return `${prefix}0`
}

export function subscriptionKey(prefix: string, filter: string): string {
  return `${prefix}1/${filter}`
}

export function queuedKey(prefix: string, position: number): string {
  const digits = String(position)
  return `${prefix}2/${ZEROS.slice(digits.length)}${digits}`
}

export function receivedKey(prefix: string, packetId: number): string {
  return `${prefix}3/${packetId}`
}

export function willKey(prefix: string): string {
  return `${prefix}4`
}

export function knownKey(prefix: string, { incarnation, number }: MessageId): string {
  return `${prefix}5/${incarnation}-${number}`
}

/** Throws `GrapevineError` STORE_CORRUPT for a key that no journal wrote. */
export function parseKey(key: string): SessionKey {
  const match = KEY.exec(key)
  if (match === null) throw corrupt(key, 'no such key is ever written')
  const clientId = decodeClientId(key, match[1] ?? '')
  const slot = match[2] ?? ''
  if (match[4] !== undefined) return { clientId, slot, type: 'subscription', filter: match[4] }
  if (match[5] !== undefined) return { clientId, slot, type: 'queued', position: Number(match[5]) }
  if (match[6] !== undefined) return { clientId, slot, type: 'received', packetId: Number(match[6]) }
  if (match[8] !== undefined) {
    const id = { incarnation: Number(match[8]), number: Number(match[9]) }
    return { clientId, slot, type: 'known', id }
  }
  return { clientId, slot, type: match[7] === undefined ? 'session' : 'will' }
}

function decodeClientId(key: string, encoded: string): ClientId {
  try {
    return decodeURIComponent(encoded)
  } catch {
    throw corrupt(key, 'no such key is ever written')
  }
}
