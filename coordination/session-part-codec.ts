/**
 * Sessions and their parts as bytes between nodes, layout in WIRE.md.
 *
 * Pure. Times travel as what is left or has passed, since clocks differ between nodes. A reader that was given something
 * else than a writer makes answers undefined; what it answers refers to no byte of what it read.
 */
import type {
  DepartureMark,
  IngressGap,
  QueuedRecord,
  SessionPart,
  SessionRecord,
  SubscriptionRecord,
  TailMark,
  WillRecord,
} from '../src/core/ports/session-journal.ts'
import type { Debt } from '../src/core/ports/routing.ts'
import type { MessageId, Publication } from '../src/core/publication.ts'
import type { QoS } from '../src/core/qos.ts'
import { isNodeId, type NodeId } from '../src/core/ids.ts'

const SUBSCRIPTION = 1
const MESSAGE = 2
const RELEASED = 3
const RECEIVED = 4
const WILL = 5
const KNOWN = 6
const DEBT = 7
// Of a tail mark.
const LOOSE = 1
const PASSED = 2
const HELD = 4

/** Writes values one behind the other into a buffer that grows. */
export class PartWriter {
  readonly #nowMs: number
  #bytes = Buffer.allocUnsafe(4096)
  #length = 0

  /** `nowMs`: wall clock. */
  constructor(nowMs: number) {
    this.#nowMs = nowMs
  }

  get length(): number {
    return this.#length
  }

  /** What was written, valid until the next `clear`. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  clear(): void {
    this.#length = 0
  }

  byte(value: number): void {
    this.#room(1)
    this.#bytes[this.#length++] = value
  }

  /** Changes a byte that was written. */
  setByte(at: number, value: number): void {
    this.#bytes[at] = value
  }

  uint16(value: number): void {
    this.#room(2)
    this.#length = this.#bytes.writeUInt16BE(value, this.#length)
  }

  uint32(value: number): void {
    this.#room(4)
    this.#length = this.#bytes.writeUInt32BE(value, this.#length)
  }

  number(value: number): void {
    this.#room(8)
    this.#length = this.#bytes.writeDoubleBE(value, this.#length)
  }

  text(value: string): void {
    const length = Buffer.byteLength(value)
    this.uint16(length)
    this.#room(length)
    this.#length += this.#bytes.write(value, this.#length)
  }

  data(value: Uint8Array): void {
    this.uint32(value.length)
    this.#room(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
  }

  session(record: SessionRecord): void {
    const { disconnectedAtMs, tails = [], floors = [], gaps = [], hadWills = [] } = record
    this.text(record.clientId)
    this.uint32(record.expiryIntervalSeconds)
    this.number(disconnectedAtMs === undefined ? 0 : Math.max(0, this.#nowMs - disconnectedAtMs))
    this.number(record.departure?.nextPosition ?? 0)
    this.number(record.departure?.restTo ?? 0)
    this.byte(tails.length)
    for (const { from, token, position, restTo, isLoose, isPassed, owing = [], heldAt } of tails) {
      this.text(from)
      this.number(token.epoch)
      this.number(token.revision)
      this.number(position)
      this.number(restTo ?? 0)
      const isHeld = heldAt !== undefined
      this.byte((isLoose === true ? LOOSE : 0) | (isPassed === true ? PASSED : 0) | (isHeld ? HELD : 0))
      this.nodes(owing)
      if (isHeld) this.number(heldAt)
    }
    this.ids(floors)
    this.byte(gaps.length)
    for (const { from, incarnation, above, upTo } of gaps) {
      this.text(from)
      this.number(incarnation)
      this.number(above)
      this.number(upTo)
    }
    this.ids(hadWills)
  }

  /** At most 65,535. */
  ids(ids: readonly MessageId[]): void {
    this.uint16(ids.length)
    for (const { incarnation, number } of ids) {
      this.number(incarnation)
      this.number(number)
    }
  }

  /** At most 65,535. */
  nodes(nodes: readonly NodeId[]): void {
    this.uint16(nodes.length)
    for (const nodeId of nodes) this.text(nodeId)
  }

  part(part: SessionPart): void {
    switch (part.type) {
      case 'subscription':
        this.#subscription(part.subscription)
        break
      case 'received':
        this.byte(RECEIVED)
        this.uint16(part.packetId)
        this.byte(part.id === undefined ? 0 : 1)
        if (part.id !== undefined) this.#id(part.id)
        break
      case 'will':
        this.#will(part.will)
        break
      case 'known':
        this.byte(KNOWN)
        this.#id(part.id)
        this.byte(part.isOfNode === true ? 1 : 0)
        break
      case 'debt':
        this.#debt(part.debt)
        break
      case 'entry':
        if ('isReleased' in part.entry) {
          this.byte(RELEASED)
          this.number(part.entry.position)
        } else this.message(part.entry, part.wasSent)
    }
  }

  message(record: QueuedRecord, wasSent: boolean): void {
    const { position, qos, retain, subscriptionIdentifiers, publication, target } = record
    this.byte(MESSAGE)
    this.byte(qos | (retain ? 4 : 0) | (wasSent ? 8 : 0) | (target === undefined ? 0 : 16))
    this.number(position)
    this.uint16(subscriptionIdentifiers.length)
    for (const identifier of subscriptionIdentifiers) this.uint32(identifier)
    if (target !== undefined) {
      this.text(target.group)
      this.text(target.filter)
    }
    this.#publication(publication)
  }

  #subscription(record: SubscriptionRecord): void {
    const { filter, qos, noLocal, retainAsPublished, subscriptionIdentifier, fromPosition } = record
    this.byte(SUBSCRIPTION)
    this.byte(
      qos |
        (noLocal ? 4 : 0) |
        (retainAsPublished ? 8 : 0) |
        (subscriptionIdentifier === undefined ? 0 : 16) |
        (fromPosition === undefined ? 0 : 32),
    )
    this.uint32(subscriptionIdentifier ?? 0)
    this.text(filter)
    if (fromPosition !== undefined) this.number(fromPosition)
  }

  #debt({ nodeId, expiresAtMs, frame }: Debt): void {
    this.byte(DEBT)
    this.text(nodeId)
    this.byte(expiresAtMs === undefined ? 0 : 1)
    if (expiresAtMs !== undefined) this.number(expiresAtMs - this.#nowMs)
    this.data(frame)
  }

  #will({ publication, messageExpirySeconds, delaySeconds }: WillRecord): void {
    this.byte(WILL)
    this.byte(messageExpirySeconds === undefined ? 0 : 1)
    this.uint32(messageExpirySeconds ?? 0)
    this.uint32(delaySeconds)
    this.#publication(publication)
  }

  #publication({ topic, payload, qos, retain, properties, expiresAtMs, publisher, id }: Publication): void {
    this.byte(
      qos |
        (retain ? 4 : 0) |
        (properties === undefined ? 0 : 8) |
        (expiresAtMs === undefined ? 0 : 16) |
        (id === undefined ? 0 : 32),
    )
    if (expiresAtMs !== undefined) this.number(expiresAtMs - this.#nowMs)
    if (id !== undefined) this.#id(id)
    this.text(topic)
    this.text(publisher)
    if (properties !== undefined) this.data(properties)
    this.data(payload)
  }

  #id({ incarnation, number }: MessageId): void {
    this.number(incarnation)
    this.number(number)
  }

  #room(byteCount: number): void {
    const needed = this.#length + byteCount
    if (needed <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
  }
}

const NO_IDENTIFIERS: readonly number[] = []

/** The bytes are not what a `PartWriter` wrote. */
class Unreadable extends Error {}

/** Reads what a `PartWriter` wrote, in the same order. Its methods throw; `readAll` turns that into undefined. */
export class PartReader {
  readonly #nowMs: number
  readonly #bytes: Buffer
  #at = 0
  /** Messages of one session tend to have the same topic and publisher: they share the strings. */
  readonly #topic = { text: '', start: 0, end: 0 }
  readonly #publisher = { text: '', start: 0, end: 0 }

  constructor(bytes: Uint8Array, nowMs: number) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#nowMs = nowMs
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  /** Nobody wants the rest. */
  skip(): void {
    this.#at = this.#bytes.length
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#take(1))
  }

  uint16(): number {
    return this.#bytes.readUInt16BE(this.#take(2))
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4))
  }

  number(): number {
    const value = this.#bytes.readDoubleBE(this.#take(8))
    if (!Number.isFinite(value)) throw new Unreadable()
    return value
  }

  /** A whole number ≥ 0. */
  count(): number {
    const value = this.number()
    if (!Number.isSafeInteger(value) || value < 0) throw new Unreadable()
    return value
  }

  text(): string {
    const length = this.uint16()
    const start = this.#take(length)
    return this.#bytes.toString('utf8', start, start + length)
  }

  /** As `text`, where it is most likely the same as last time. */
  #textAs(last: { text: string; start: number; end: number }): string {
    const length = this.uint16()
    const start = this.#take(length)
    const bytes = this.#bytes
    let at = 0
    if (length === last.end - last.start)
      while (at < length && bytes[start + at] === bytes[last.start + at]) at++
    if (at < length || length !== last.end - last.start)
      last.text = bytes.toString('utf8', start, start + length)
    last.start = start
    last.end = start + length
    return last.text
  }

  data(): Uint8Array {
    const length = this.uint32()
    const start = this.#take(length)
    return Buffer.from(this.#bytes.subarray(start, start + length))
  }

  /** The token is the caller's to put in. */
  session(): Omit<SessionRecord, 'token' | 'departure'> & Omit<DepartureMark, 'to'> {
    const clientId = this.text()
    const expiryIntervalSeconds = this.uint32()
    const disconnectedAtMs = this.#nowMs - this.number()
    const departure = { nextPosition: this.count(), ...this.#restTo() }
    const tails: TailMark[] = []
    for (let left = this.byte(); left > 0; left--) {
      const from = this.#node()
      const token = { epoch: this.count(), revision: this.count() }
      const position = this.count()
      const rest = this.#restTo()
      const flags = this.byte()
      const owing = this.nodes()
      tails.push({
        from,
        token,
        position,
        ...rest,
        ...((flags & LOOSE) > 0 ? { isLoose: true } : {}),
        ...((flags & PASSED) > 0 ? { isPassed: true } : {}),
        ...(owing.length > 0 ? { owing } : {}),
        ...((flags & HELD) > 0 ? { heldAt: this.count() } : {}),
      })
    }
    const floors = this.ids()
    const gaps: IngressGap[] = []
    for (let left = this.byte(); left > 0; left--) {
      const from = this.#node()
      gaps.push({ from, incarnation: this.count(), above: this.count(), upTo: this.count() })
    }
    const hadWills = this.ids()
    return {
      clientId,
      expiryIntervalSeconds,
      disconnectedAtMs,
      ...departure,
      ...(tails.length > 0 ? { tails } : {}),
      ...(floors.length > 0 ? { floors } : {}),
      ...(gaps.length > 0 ? { gaps } : {}),
      ...(hadWills.length > 0 ? { hadWills } : {}),
    }
  }

  ids(): MessageId[] {
    const ids: MessageId[] = []
    for (let left = this.uint16(); left > 0; left--)
      ids.push({ incarnation: this.count(), number: this.count() })
    return ids
  }

  nodes(): NodeId[] {
    const nodes: NodeId[] = []
    for (let left = this.uint16(); left > 0; left--) nodes.push(this.#node())
    return nodes
  }

  part(): SessionPart {
    const kind = this.byte()
    switch (kind) {
      case SUBSCRIPTION:
        return { type: 'subscription', subscription: this.#subscription() }
      case MESSAGE:
        return { type: 'entry', ...this.#message() }
      case RELEASED:
        return { type: 'entry', entry: { position: this.count(), isReleased: true }, wasSent: true }
      case RECEIVED:
        return { type: 'received', packetId: this.uint16(), id: this.byte() === 0 ? undefined : this.#id() }
      case WILL:
        return { type: 'will', will: this.#will() }
      case KNOWN:
        return { type: 'known', id: this.#id(), ...(this.byte() === 0 ? {} : { isOfNode: true }) }
      case DEBT:
        return { type: 'debt', debt: this.#debt() }
      default:
        throw new Unreadable()
    }
  }

  message(): QueuedRecord {
    if (this.byte() !== MESSAGE) throw new Unreadable()
    return this.#message().entry
  }

  #message(): { readonly entry: QueuedRecord; readonly wasSent: boolean } {
    const flags = this.byte()
    const position = this.count()
    const count = this.uint16()
    const subscriptionIdentifiers =
      count === 0 ? NO_IDENTIFIERS : Array.from({ length: count }, () => this.uint32())
    const target = (flags & 16) === 0 ? undefined : { group: this.text(), filter: this.text() }
    const entry = {
      position,
      qos: qosOf(flags),
      retain: (flags & 4) !== 0,
      subscriptionIdentifiers,
      publication: this.#publication(),
      ...(target && { target }),
    }
    return { entry, wasSent: (flags & 8) !== 0 }
  }

  #subscription(): SubscriptionRecord {
    const flags = this.byte()
    const identifier = this.uint32()
    return {
      filter: this.text(),
      qos: qosOf(flags),
      noLocal: (flags & 4) !== 0,
      retainAsPublished: (flags & 8) !== 0,
      subscriptionIdentifier: (flags & 16) === 0 ? undefined : identifier,
      ...((flags & 32) === 0 ? {} : { fromPosition: this.count() }),
    }
  }

  #node(): NodeId {
    const nodeId = this.text()
    if (!isNodeId(nodeId)) throw new Unreadable()
    return nodeId
  }

  #debt(): Debt {
    const nodeId = this.#node()
    const expiresAtMs = this.byte() === 0 ? undefined : this.#nowMs + this.number()
    return { nodeId, expiresAtMs, frame: this.data() }
  }

  #will(): WillRecord {
    const flags = this.byte()
    const messageExpirySeconds = this.uint32()
    const delaySeconds = this.uint32()
    const publication = this.#publication()
    return { publication, messageExpirySeconds: flags === 0 ? undefined : messageExpirySeconds, delaySeconds }
  }

  #publication(): Publication {
    const flags = this.byte()
    const expiresAtMs = (flags & 16) === 0 ? undefined : this.#nowMs + this.number()
    const id = (flags & 32) === 0 ? undefined : this.#id()
    const topic = this.#textAs(this.#topic)
    const publisher = this.#textAs(this.#publisher)
    const properties = (flags & 8) === 0 ? undefined : this.data()
    const payload = this.data()
    const retain = (flags & 4) !== 0
    return {
      topic,
      payload,
      qos: qosOf(flags),
      retain,
      properties,
      expiresAtMs,
      publisher,
      ...(id && { id }),
    }
  }

  #restTo(): { readonly restTo?: number } {
    const restTo = this.count()
    return restTo === 0 ? {} : { restTo }
  }

  #id(): MessageId {
    return { incarnation: this.count(), number: this.count() }
  }

  #take(byteCount: number): number {
    const start = this.#at
    if (start + byteCount > this.#bytes.length) throw new Unreadable()
    this.#at += byteCount
    return start
  }
}

/** What `read` makes of the bytes, which it must use up; undefined when they are not what it expects. */
export function readAll<T>(bytes: Uint8Array, nowMs: number, read: (reader: PartReader) => T): T | undefined {
  const reader = new PartReader(bytes, nowMs)
  try {
    const result = read(reader)
    return reader.isAtEnd ? result : undefined
  } catch (error) {
    if (error instanceof Unreadable) return undefined
    throw error
  }
}

function qosOf(flags: number): QoS {
  const qos = flags & 3
  if (qos === 3) throw new Unreadable()
  return qos as QoS
}
