/**
 * Writes sessions and their parts as bytes between nodes, layout in WIRE.md.
 *
 * Pure. Times travel as what is left or has passed, since clocks differ between nodes.
 */
import type { NodeId } from '../src/core/ids.ts'
import type { Debt } from '../src/core/ports/routing.ts'
import type {
  QueuedRecord,
  SessionPart,
  SessionRecord,
  SubscriptionRecord,
  WillRecord,
} from '../src/core/ports/session-journal.ts'
import type { MessageId, Publication } from '../src/core/publication.ts'
import { partKind, tailFlag } from './part-kinds.ts'

/** Writes values one behind the other into a buffer that grows. */
export class PartWriter {
  #nowMs: number
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

  /** Begins anew. `nowMs`: as at first. */
  clear(nowMs: number): void {
    this.#nowMs = nowMs
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
    const { disconnectedAtMs, tails = [], floors = [], beyond = [], gaps = [], hadWills = [] } = record
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
      this.byte(
        (isLoose === true ? tailFlag.loose : 0) |
          (isPassed === true ? tailFlag.passed : 0) |
          (isHeld ? tailFlag.held : 0),
      )
      this.nodes(owing)
      if (isHeld) this.number(heldAt)
    }
    this.ids(floors)
    this.ids(beyond)
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
        this.byte(partKind.received)
        this.uint16(part.packetId)
        this.byte(part.id === undefined ? 0 : 1)
        if (part.id !== undefined) this.#id(part.id)
        break
      case 'will':
        this.#will(part.will)
        break
      case 'known':
        this.byte(partKind.known)
        this.#id(part.id)
        break
      case 'debt':
        this.#debt(part.debt)
        break
      case 'entry':
        if ('isReleased' in part.entry) {
          this.byte(partKind.released)
          this.number(part.entry.position)
        } else this.message(part.entry, part.wasSent)
    }
  }

  message(record: QueuedRecord, wasSent: boolean): void {
    const { position, qos, retain, subscriptionIdentifiers, publication, target } = record
    this.byte(partKind.message)
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
    this.byte(partKind.subscription)
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
    this.byte(partKind.debt)
    this.text(nodeId)
    this.byte(expiresAtMs === undefined ? 0 : 1)
    if (expiresAtMs !== undefined) this.number(expiresAtMs - this.#nowMs)
    this.data(frame)
  }

  #will({ publication, messageExpirySeconds, delaySeconds }: WillRecord): void {
    this.byte(partKind.will)
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
