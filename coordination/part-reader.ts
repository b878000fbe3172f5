/**
 * Reads what a `PartWriter` wrote, layout in WIRE.md.
 *
 * Pure. Given anything else it answers undefined; what it answers refers to no byte of what it read.
 */
import { isNodeId, type NodeId } from '../src/core/ids.ts'
import type { Debt } from '../src/core/ports/routing.ts'
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
import type { MessageId, Publication } from '../src/core/publication.ts'
import type { QoS } from '../src/core/qos.ts'
import { partKind, tailFlag } from './part-kinds.ts'

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
        ...((flags & tailFlag.loose) > 0 ? { isLoose: true } : {}),
        ...((flags & tailFlag.passed) > 0 ? { isPassed: true } : {}),
        ...(owing.length > 0 ? { owing } : {}),
        ...((flags & tailFlag.held) > 0 ? { heldAt: this.count() } : {}),
      })
    }
    const floors = this.ids()
    const beyond = this.ids()
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
      ...(beyond.length > 0 ? { beyond } : {}),
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
      case partKind.subscription:
        return { type: 'subscription', subscription: this.#subscription() }
      case partKind.message:
        return { type: 'entry', ...this.#message() }
      case partKind.released:
        return { type: 'entry', entry: { position: this.count(), isReleased: true }, wasSent: true }
      case partKind.received:
        return { type: 'received', packetId: this.uint16(), id: this.byte() === 0 ? undefined : this.#id() }
      case partKind.will:
        return { type: 'will', will: this.#will() }
      case partKind.known:
        return { type: 'known', id: this.#id() }
      case partKind.debt:
        return { type: 'debt', debt: this.#debt() }
      default:
        throw new Unreadable()
    }
  }

  message(): QueuedRecord {
    if (this.byte() !== partKind.message) throw new Unreadable()
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
