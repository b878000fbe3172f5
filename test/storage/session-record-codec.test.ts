import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { GrapevineError } from '../../src/core/errors.ts'
import type { QueuedRecord } from '../../src/core/ports/session-journal.ts'
import type { QoS } from '../../src/core/qos.ts'
import {
  decodeQueueEntry,
  decodeReceived,
  decodeSession,
  decodeSubscription,
  decodeWill,
  encodeQueued,
  encodeReceived,
  encodeReleased,
  encodeSession,
  encodeSubscription,
  encodeWill,
} from '../../src/storage/session-record-codec.ts'
import { message, plain, session, subscription, will } from '../contract/session-journal-contract.ts'

const text = fc.string({ unit: 'binary', maxLength: 100 })
const bytes = fc.uint8Array({ maxLength: 300 })
const integer = fc.nat(Number.MAX_SAFE_INTEGER)
const qos = fc.constantFrom<QoS>(0, 1, 2)
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(value, { nil: undefined })

/** Plain objects, as the decoders make them. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(model, { noNullPrototype: true })

const sessions = record({
  token: record({ epoch: integer, revision: integer }),
  expiryIntervalSeconds: fc.nat(0xffffffff),
  disconnectedAtMs: optional(integer),
})
const subscriptions = record({
  qos,
  noLocal: fc.boolean(),
  retainAsPublished: fc.boolean(),
  subscriptionIdentifier: optional(fc.nat(0xfffffff)),
  fromPosition: optional(integer),
}).map(({ fromPosition, ...rest }) => (fromPosition === undefined ? rest : { ...rest, fromPosition }))
const publications = record({
  topic: text,
  payload: bytes,
  qos,
  retain: fc.boolean(),
  properties: optional(bytes),
  expiresAtMs: optional(integer),
  publisher: text,
})
const queued = record({
  qos,
  retain: fc.boolean(),
  subscriptionIdentifiers: fc.array(fc.nat(0xfffffff), { maxLength: 20 }),
  publication: publications,
  target: optional(record({ group: text, filter: text })),
}).map(({ target, ...rest }) => (target === undefined ? rest : { ...rest, target }))
const wills = record({
  publication: publications,
  messageExpirySeconds: optional(fc.nat(0xffffffff)),
  delaySeconds: fc.nat(0xffffffff),
})

describe('session record codec', () => {
  it('gives sessions back as they were', () => {
    fc.assert(
      fc.property(text, sessions, (key, record) => {
        assert.deepEqual(decodeSession(key, encodeSession(key, record)), {
          session: record,
          staged: undefined,
          isOver: false,
        })
      }),
    )
  })

  it('says of a session that it is over', () => {
    const record = encodeSession('key', session('c'), { isOver: true })
    assert.equal(decodeSession('key', record).isOver, true)
  })

  it('gives subscriptions back as they were', () => {
    fc.assert(
      fc.property(text, subscriptions, (key, record) => {
        assert.deepEqual(decodeSubscription(key, encodeSubscription(key, record)), record)
      }),
    )
  })

  it('gives queued messages back as they were', () => {
    fc.assert(
      fc.property(text, queued, (key, record) => {
        assert.deepEqual(plain(decodedMessage(key, encodeQueued(key, record))), plain(record))
      }),
    )
  })

  it('gives wills back as they were', () => {
    fc.assert(
      fc.property(text, wills, (key, record) => {
        assert.deepEqual(plain(decodeWill(key, encodeWill(key, record))), plain(record))
      }),
    )
  })

  it('tells released messages from queued ones', () => {
    assert.deepEqual(decodeQueueEntry('key', encodeReleased('key')), { isReleased: true })
  })

  it('carries a topic of 65,535 bytes', () => {
    const { position: _, publication, ...rest } = message(1)
    const record = { ...rest, publication: { ...publication, topic: 'é'.repeat(32_767) + 'x' } }
    assert.deepEqual(plain(decodedMessage('key', encodeQueued('key', record))), plain(record))
  })

  it('finds out every single changed bit', () => {
    const records: readonly (readonly [Uint8Array, (key: string, record: Uint8Array) => unknown])[] = [
      [encodeSession('key', session('c')), decodeSession],
      [encodeSubscription('key', subscription('a')), decodeSubscription],
      [encodeQueued('key', message(1)), decodeQueueEntry],
      [encodeReleased('key'), decodeQueueEntry],
      [encodeReceived('key', { id: undefined }), decodeReceived],
      [encodeReceived('key', { id: { incarnation: 2 ** 40, number: 7 } }), decodeReceived],
      [encodeReceived('key', { id: { incarnation: 2, number: 7 }, isFromElsewhere: true }), decodeReceived],
      [encodeWill('key', will()), decodeWill],
    ]
    for (const [record, decode] of records) {
      for (let at = 0; at < record.length * 8; at++) {
        const changed = Uint8Array.from(record)
        changed[at >> 3] = (changed[at >> 3] ?? 0) ^ (1 << (at & 7))
        assert.throws(() => decode('key', changed), isCorrupt(/"key".*checksum/))
      }
    }
  })

  it('finds out a record that was cut short, at any length', () => {
    const record = encodeQueued('key', message(1))
    for (let length = 0; length < record.length; length++) {
      assert.throws(() => decodeQueueEntry('key', record.subarray(0, length)), isCorrupt(/"key"/))
    }
  })

  it('finds out a record that lies under another key', () => {
    assert.throws(() => decodeQueueEntry('other', encodeQueued('key', message(1))), isCorrupt(/"other"/))
  })

  it('refuses an intact record of another kind', () => {
    assert.throws(
      () => decodeQueueEntry('key', encodeSession('key', session('c'))),
      isCorrupt(/not the record of a queued message/),
    )
  })

  it('says so when a newer version wrote the record', () => {
    const record = Buffer.from(encodeSession('key', session('c')))
    record[0] = 9
    const end = record.length - 4
    record.writeUInt32BE(crc32(record.subarray(0, end), crc32('key')), end)
    assert.throws(() => decodeSession('key', record), isCorrupt(/"key".*newer Grapevine \(record version 9/))
  })

  it('refuses intact records whose content cannot be', () => {
    const cases: [at: number, value: number, reason: RegExp][] = [
      [2, 0b0000_0011, /QoS is 3/],
      [7, 0b0000_0011, /QoS is 3/],
      [3, 0xff, /lengths do not fit/],
      [2, 0b0000_1001, /lengths do not fit/],
      [16, 0xff, /lengths do not fit/],
    ]
    for (const [at, value, reason] of cases) {
      const record = Buffer.from(encodeQueued('key', message(1)))
      record[at] = value
      const end = record.length - 4
      record.writeUInt32BE(crc32(record.subarray(0, end), crc32('key')), end)
      assert.throws(() => decodeQueueEntry('key', record), isCorrupt(reason))
    }
  })
})

function decodedMessage(key: string, record: Uint8Array): Omit<QueuedRecord, 'position'> {
  const entry = decodeQueueEntry(key, record)
  return 'isReleased' in entry ? assert.fail('it was released') : entry
}

function isCorrupt(reason: RegExp): (error: unknown) => boolean {
  return error => {
    assert.ok(error instanceof GrapevineError, String(error))
    assert.equal(error.code, 'STORE_CORRUPT')
    assert.match(error.message, reason)
    return true
  }
}
