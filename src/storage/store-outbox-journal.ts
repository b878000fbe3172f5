import type { NodeId } from '../core/ids.ts'
import type { OutboxJournal, OutboxRecord } from '../core/ports/outbox-journal.ts'
import type { JournalWriter } from './journal-writer.ts'
import { allocate, bodyEnd, corrupt, seal, unseal } from './record-seal.ts'

/*
 * outbox/<node>/<position>: body: expires at (8, double; 0 = never), publisher (its length (2), then UTF-8; not in version 3),
 * frame (the rest). Positions have 16 decimal digits, so that keys sort by position; a node id has no `/`.
 */

const OUTBOX_PREFIX = 'outbox/'
const KEY = /^outbox\/([^/]+)\/([0-9]{16})$/
const POSITION_DIGITS = 16
/** Positions of one page share all digits but the last three: reading a page touches no key of those before it. */
const PAGE_POSITIONS = 1000
const PAGE_DIGITS = POSITION_DIGITS - 3
const EXPIRY_BYTES = 8
const LENGTH_BYTES = 2
const BODY_AT = 2
const FIRST_WITH_PUBLISHER = 4

/** The outboxes on the node's own store, one row per publication and peer. */
export class StoreOutboxJournal implements OutboxJournal {
  readonly #writer: JournalWriter

  constructor(writer: JournalWriter) {
    this.#writer = writer
  }

  put(nodeId: NodeId, { position, expiresAtMs, publisher, frame }: OutboxRecord): number {
    const key = keyOf(nodeId, position)
    const publisherBytes = Buffer.byteLength(publisher)
    const bytes = allocate('outbox message', EXPIRY_BYTES + LENGTH_BYTES + publisherBytes + frame.length)
    let at = bytes.writeDoubleBE(expiresAtMs ?? 0, BODY_AT)
    at = bytes.writeUInt16BE(publisherBytes, at)
    at += bytes.write(publisher, at)
    bytes.set(frame, at)
    return this.#writer.putNew(key, seal(key, bytes))
  }

  delete(nodeId: NodeId, position: number): number {
    return this.#writer.delete(keyOf(nodeId, position))
  }

  async *read(nodeId: NodeId, position: number): AsyncIterable<OutboxRecord> {
    for (let page = Math.floor(position / PAGE_POSITIONS); ; page++) {
      let isEmpty = true
      const prefix = `${OUTBOX_PREFIX}${nodeId}/${digits(page, PAGE_DIGITS)}`
      for await (const [key, value] of this.#writer.range(prefix)) {
        const { record } = decode(key, value)
        if (record.position < position) continue
        isEmpty = false
        yield record
      }
      if (isEmpty) return
    }
  }

  async *load(): AsyncIterable<{ readonly nodeId: NodeId; readonly record: OutboxRecord }> {
    for await (const [key, value] of this.#writer.range(OUTBOX_PREFIX)) yield decode(key, value)
  }
}

function keyOf(nodeId: NodeId, position: number): string {
  return `${OUTBOX_PREFIX}${nodeId}/${digits(position, POSITION_DIGITS)}`
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, '0')
}

function decode(key: string, value: Uint8Array): { nodeId: NodeId; record: OutboxRecord } {
  const [, nodeId, position] = KEY.exec(key) ?? []
  if (nodeId === undefined) throw corrupt(key, 'no such key is ever written')
  const bytes = unseal(key, value, 'outbox message', EXPIRY_BYTES + LENGTH_BYTES)
  const expiresAtMs = bytes.readDoubleBE(BODY_AT)
  let at = BODY_AT + EXPIRY_BYTES
  let publisher = ''
  if (bytes.readUInt8(0) >= FIRST_WITH_PUBLISHER) {
    const end = at + LENGTH_BYTES + bytes.readUInt16BE(at)
    if (end > bodyEnd(bytes)) throw corrupt(key, 'it ends too early')
    publisher = bytes.toString('utf8', at + LENGTH_BYTES, end)
    at = end
  }
  return {
    nodeId,
    record: {
      position: Number(position),
      expiresAtMs: expiresAtMs === 0 ? undefined : expiresAtMs,
      publisher,
      frame: bytes.subarray(at, bodyEnd(bytes)),
    },
  }
}
