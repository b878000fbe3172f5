import type {
  QueuedRecord,
  ReceivedRecord,
  SessionRecord,
  StagedOrigin,
  StoredQueueEntry,
  StoredSession,
  SubscriptionRecord,
  WillRecord,
} from '../core/ports/session-journal.ts'
import {
  PUBLICATION_BYTES_MIN,
  publicationBytes,
  qosOf,
  readPublication,
  readText,
  writePublication,
  writeText,
} from './publication-codec.ts'
import { allocate, bit, bodyEnd, corrupt, hasBit, isKind, seal, unseal } from './record-seal.ts'

/*
 * Bodies of the session journal's records (record-seal.ts has what is around them):
 *
 *   session              flags (1: bit 0 disconnected, 1 has marks), token epoch (8), token revision (8), expiry interval s
 *                        (4), disconnected at (8), marks of a move between nodes (the rest, JSON)
 *   subscription         flags (1: bits 0–1 QoS, 2 no local, 3 retain as published, 4 has identifier, 5 has a first position,
 *                        6 left),
 *                        identifier (4), that position (8) if it has one
 *   queued message       flags (1: bits 0–1 QoS of the delivery, 2 its retain, 3 came by a shared subscription), count of
 *                        subscription identifiers (4), each of them (4), [group (2 + n), filter (2 + n)],
 *                        publication (publication-codec.ts)
 *   released message     empty
 *   received identifier  empty, or the id it was routed under: incarnation (8), number (8), 1 if it came with the session
 *   will                 flags (1: bit 0 has message expiry), message expiry s (4), delay s (4), publication
 *
 * The client id, the filter, the position and the packet identifier are in the key (session-keys.ts). All decoders throw
 * `GrapevineError` STORE_CORRUPT naming the key.
 */

type Loose<T> = { readonly [K in keyof T]?: T[K] | undefined }
type WithoutPosition<T> = T extends unknown ? Omit<T, 'position'> : never

const SESSION_BYTES = 29
const NO_MARKS = Buffer.alloc(0)

/** What few sessions have: marks of a move between nodes. */
type Marks = Pick<SessionRecord, 'departure' | 'tails' | 'floors' | 'beyond' | 'gaps' | 'hadWills'> &
  Pick<StoredSession, 'staged'> & { readonly isOver?: true }

export function encodeSession(
  key: string,
  record: Omit<SessionRecord, 'clientId'>,
  { staged, isOver }: Pick<Loose<Marks>, 'staged' | 'isOver'> = {},
): Uint8Array {
  const { departure, tails, floors, beyond, gaps, hadWills } = record
  const found: Loose<Marks> = { departure, tails, floors, beyond, gaps, hadWills, staged, isOver }
  const hasMarks = Object.values(found).some(mark => mark !== undefined)
  const marks = hasMarks ? Buffer.from(JSON.stringify(found)) : NO_MARKS
  const bytes = allocate('session', SESSION_BYTES + marks.length)
  bytes.writeUInt8(bit(0, record.disconnectedAtMs !== undefined) | bit(1, hasMarks), 2)
  bytes.writeDoubleBE(record.token.epoch, 3)
  bytes.writeDoubleBE(record.token.revision, 11)
  bytes.writeUInt32BE(record.expiryIntervalSeconds, 19)
  bytes.writeDoubleBE(record.disconnectedAtMs ?? 0, 23)
  bytes.set(marks, 2 + SESSION_BYTES)
  return seal(key, bytes)
}

export function decodeSession(
  key: string,
  record: Uint8Array,
): { session: Omit<SessionRecord, 'clientId'>; staged: StagedOrigin | undefined; isOver: boolean } {
  const bytes = unseal(key, record, 'session', SESSION_BYTES)
  const flags = bytes.readUInt8(2)
  const marks = hasBit(flags, 1) ? readMarks(key, bytes.subarray(2 + SESSION_BYTES, bodyEnd(bytes))) : {}
  const { staged, isOver, ...kept } = marks
  const session = {
    token: { epoch: bytes.readDoubleBE(3), revision: bytes.readDoubleBE(11) },
    expiryIntervalSeconds: bytes.readUInt32BE(19),
    disconnectedAtMs: hasBit(flags, 0) ? bytes.readDoubleBE(23) : undefined,
    ...kept,
  }
  return { session, staged, isOver: isOver === true }
}

/** The checksum has vouched for them: only what this code wrote is read. */
function readMarks(key: string, bytes: Uint8Array): Marks {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Marks
  } catch {
    throw corrupt(key, 'its marks cannot be read')
  }
}

export function encodeSubscription(key: string, record: Omit<SubscriptionRecord, 'filter'>): Uint8Array {
  const { qos, noLocal, retainAsPublished, subscriptionIdentifier, fromPosition, isLeft } = record
  const bytes = allocate('subscription', fromPosition === undefined ? 5 : 13)
  bytes.writeUInt8(
    qos |
      bit(2, noLocal) |
      bit(3, retainAsPublished) |
      bit(4, subscriptionIdentifier !== undefined) |
      bit(5, fromPosition !== undefined) |
      bit(6, isLeft === true),
    2,
  )
  bytes.writeUInt32BE(subscriptionIdentifier ?? 0, 3)
  if (fromPosition !== undefined) bytes.writeDoubleBE(fromPosition, 7)
  return seal(key, bytes)
}

export function decodeSubscription(key: string, record: Uint8Array): Omit<SubscriptionRecord, 'filter'> {
  const bytes = unseal(key, record, 'subscription', 5)
  const flags = bytes.readUInt8(2)
  return {
    qos: qosOf(key, flags & 3),
    noLocal: hasBit(flags, 2),
    retainAsPublished: hasBit(flags, 3),
    subscriptionIdentifier: hasBit(flags, 4) ? bytes.readUInt32BE(3) : undefined,
    ...(hasBit(flags, 5) ? { fromPosition: bytes.readDoubleBE(7) } : {}),
    ...(hasBit(flags, 6) ? { isLeft: true } : {}),
  }
}

export function encodeQueued(key: string, record: Omit<QueuedRecord, 'position'>): Uint8Array {
  const { qos, retain, subscriptionIdentifiers, publication, target } = record
  const targetBytes =
    target === undefined ? 0 : 4 + Buffer.byteLength(target.group) + Buffer.byteLength(target.filter)
  const bytes = allocate(
    'queued message',
    5 + 4 * subscriptionIdentifiers.length + targetBytes + publicationBytes(publication),
  )
  bytes[2] = qos | bit(2, retain) | bit(3, target !== undefined)
  let at = bytes.writeUInt32BE(subscriptionIdentifiers.length, 3)
  for (const identifier of subscriptionIdentifiers) at = bytes.writeUInt32BE(identifier, at)
  if (target !== undefined) at = writeText(bytes, writeText(bytes, at, target.group), target.filter)
  writePublication(bytes, at, publication)
  return seal(key, bytes)
}

export function encodeReleased(key: string): Uint8Array {
  return seal(key, allocate('released message', 0))
}

/** Decodes what `encodeQueued` or `encodeReleased` made. */
export function decodeQueueEntry(key: string, record: Uint8Array): WithoutPosition<StoredQueueEntry> {
  if (isKind(record, 'released message')) {
    unseal(key, record, 'released message', 0)
    return { isReleased: true }
  }
  const bytes = unseal(key, record, 'queued message', 5 + PUBLICATION_BYTES_MIN)
  const flags = bytes.readUInt8(2)
  const identifiersEnd = 7 + 4 * bytes.readUInt32BE(3)
  if (identifiersEnd > bodyEnd(bytes)) throw corrupt(key, 'its lengths do not fit')
  const subscriptionIdentifiers: number[] = []
  for (let at = 7; at < identifiersEnd; at += 4) subscriptionIdentifiers.push(bytes.readUInt32BE(at))
  const message = { qos: qosOf(key, flags & 3), retain: hasBit(flags, 2), subscriptionIdentifiers }
  if (!hasBit(flags, 3)) return { ...message, publication: readPublication(key, bytes, identifiersEnd) }
  const [group, filterStart] = readText(key, bytes, identifiersEnd)
  const [filter, publicationStart] = readText(key, bytes, filterStart)
  return {
    ...message,
    publication: readPublication(key, bytes, publicationStart),
    target: { group, filter },
  }
}

export function encodeReceived(
  key: string,
  { id, isFromElsewhere }: Omit<ReceivedRecord, 'packetId'>,
): Uint8Array {
  const bodyBytes = id === undefined ? 0 : isFromElsewhere === true ? 17 : 16
  const bytes = allocate('received identifier', bodyBytes)
  if (id !== undefined) {
    bytes.writeDoubleBE(id.incarnation, 2)
    bytes.writeDoubleBE(id.number, 10)
    if (bodyBytes === 17) bytes.writeUInt8(1, 18)
  }
  return seal(key, bytes)
}

/** The packet identifier is in the key. */
export function decodeReceived(key: string, record: Uint8Array): Omit<ReceivedRecord, 'packetId'> {
  const bytes = unseal(key, record, 'received identifier', 0)
  if (bodyEnd(bytes) === 2) return { id: undefined }
  unseal(key, record, 'received identifier', 16)
  const id = { incarnation: bytes.readDoubleBE(2), number: bytes.readDoubleBE(10) }
  return bodyEnd(bytes) > 18 ? { id, isFromElsewhere: true } : { id }
}

/** The id is in the key. */
export function encodeKnown(key: string): Uint8Array {
  return seal(key, allocate('known publication', 0))
}

export function checkKnown(key: string, record: Uint8Array): void {
  unseal(key, record, 'known publication', 0)
}

export function encodeWill(key: string, will: WillRecord): Uint8Array {
  const { publication, messageExpirySeconds, delaySeconds } = will
  const bytes = allocate('will', 9 + publicationBytes(publication))
  bytes.writeUInt8(bit(0, messageExpirySeconds !== undefined), 2)
  bytes.writeUInt32BE(messageExpirySeconds ?? 0, 3)
  bytes.writeUInt32BE(delaySeconds, 7)
  writePublication(bytes, 11, publication)
  return seal(key, bytes)
}

export function decodeWill(key: string, record: Uint8Array): WillRecord {
  const bytes = unseal(key, record, 'will', 9 + PUBLICATION_BYTES_MIN)
  return {
    publication: readPublication(key, bytes, 11),
    messageExpirySeconds: hasBit(bytes.readUInt8(2), 0) ? bytes.readUInt32BE(3) : undefined,
    delaySeconds: bytes.readUInt32BE(7),
  }
}
