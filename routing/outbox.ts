/**
 * What one peer is owed and lies on disk: where it begins and ends, how much of it was read back.
 *
 * It keeps numbers, not publications; the journal keeps those. Invariant: `count` and `byteCount` are those of the journal
 * with every appended change applied, and `unreadCount` of the records are behind `readUpTo`.
 */
import type { ClientId, NodeId } from '../src/core/ids.ts'
import type { OutboxJournal, OutboxRecord } from '../src/core/ports/outbox-journal.ts'
import { idOf } from './forward-codec.ts'
import { OutboxPublishers } from './outbox-publishers.ts'

export class Outbox {
  readonly #nodeId: NodeId
  readonly #journal: OutboxJournal
  readonly publishers = new OutboxPublishers()
  count = 0
  byteCount = 0
  unreadCount = 0
  #first = 1
  #last = 0
  #readUpTo = 0
  /** Everything up to this position is committed. */
  #committed = 0
  /** A later record, and the sequence with which it is committed too. */
  #awaited: { readonly position: number; readonly sequence: number } | undefined
  #lastSequence = 0
  /** The peer has accepted these, and they are not to go yet. */
  readonly #kept = new Set<number>()

  constructor(nodeId: NodeId, journal: OutboxJournal) {
    this.#nodeId = nodeId
    this.#journal = journal
  }

  /** Position of the newest record. */
  get last(): number {
    return this.#last
  }

  /** A record that an earlier life left, in order. */
  restore({ position, publisher, frame }: OutboxRecord): void {
    if (this.count === 0) {
      this.#first = position
      this.#readUpTo = position - 1
    }
    this.#last = this.#committed = position
    this.publishers.add(publisher, position, idOf(frame))
    this.#counted(frame.length)
  }

  /** Appends a record, unread; returns the sequence that must be committed. */
  add(frame: Uint8Array, expiresAtMs: number | undefined, publisher: ClientId): number {
    const position = ++this.#last
    const sequence = this.#journal.put(this.#nodeId, { position, expiresAtMs, publisher, frame })
    this.publishers.add(publisher, position, idOf(frame))
    this.#lastSequence = sequence
    this.#awaited ??= { position, sequence }
    this.#counted(frame.length)
    return sequence
  }

  #counted(bytes: number): void {
    this.count++
    this.unreadCount++
    this.byteCount += bytes
  }

  /** The next record, at `position`, is in memory now. */
  taken(position: number): void {
    this.#readUpTo = position
    this.unreadCount--
  }

  /** The one at that position, up to which all others are gone or kept, is not removed yet. */
  keep(position: number): void {
    this.#kept.add(position)
    this.#first = position + 1
  }

  isKept(position: number): boolean {
    return this.#kept.has(position)
  }

  remove(position: number, bytes: number, publisher: ClientId): void {
    this.#journal.delete(this.#nodeId, position)
    this.publishers.remove(publisher, position)
    if (!this.#kept.delete(position)) this.#first = position + 1
    this.count--
    this.byteCount -= bytes
  }

  /** The journal has committed up to `upTo`. */
  onCommitted(upTo: number): void {
    if (this.#awaited === undefined || this.#awaited.sequence > upTo) return
    this.#committed = this.#awaited.position
    if (this.#lastSequence <= upTo) this.#committed = this.#last
    this.#awaited =
      this.#committed < this.#last ? { position: this.#last, sequence: this.#lastSequence } : undefined
  }

  get hasReadable(): boolean {
    return this.unreadCount > 0 && this.#readUpTo < this.#committed
  }

  /** Unread records that are committed by now, in order. */
  async *read(): AsyncIterable<OutboxRecord> {
    const upTo = this.#committed
    for await (const record of this.#journal.read(this.#nodeId, this.#readUpTo + 1)) {
      if (record.position > upTo) return
      if (record.position > this.#readUpTo) yield record // else it was discarded meanwhile
    }
  }

  /** What is committed of that publisher's, in order, read or not. */
  async *readOf(publisher: ClientId): AsyncIterable<OutboxRecord> {
    const positions = this.publishers.positionsOf(publisher)
    const [first] = positions
    let left = positions.size
    if (first === undefined) return
    for await (const record of this.#journal.read(this.#nodeId, first)) {
      if (record.publisher !== publisher) continue
      if (positions.has(record.position)) yield record // else it has been accepted meanwhile
      if (--left === 0) return
    }
  }

  /** Removes everything. */
  discard(): void {
    if (this.count === 0) return
    for (const position of this.#kept) this.#journal.delete(this.#nodeId, position)
    this.#kept.clear()
    for (let position = this.#first; position <= this.#last; position++) {
      this.#journal.delete(this.#nodeId, position)
    }
    this.publishers.clear()
    this.count = this.byteCount = this.unreadCount = 0
    this.#first = this.#last + 1
    this.#readUpTo = this.#last
  }
}
