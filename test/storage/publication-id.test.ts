import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import type { QueuedRecord } from '../../src/core/ports/session-journal.ts'
import type { MessageId } from '../../src/core/publication.ts'
import { decodeQueueEntry, encodeQueued } from '../../src/storage/session-record-codec.ts'

function message(id: MessageId | undefined): Omit<QueuedRecord, 'position'> {
  return {
    qos: 1,
    retain: false,
    subscriptionIdentifiers: [],
    publication: {
      topic: 't',
      payload: Buffer.from('payload'),
      qos: 1,
      retain: false,
      properties: Buffer.from([1, 1]),
      expiresAtMs: undefined,
      publisher: 'p',
      ...(id && { id }),
    },
  }
}

describe('the id of a stored publication', () => {
  it('comes back as it was', () => {
    const sent = message({ incarnation: 2 ** 41 + 3, number: 2 ** 48 + 9 })
    assert.deepEqual(decodeQueueEntry('key', encodeQueued('key', sent)), sent)
  })

  it('is absent in records of version 2, which are still read', () => {
    const record = Buffer.from(encodeQueued('key', message(undefined)))
    record[0] = 2
    const end = record.length - 4
    record.writeUInt32BE(crc32(record.subarray(0, end), crc32('key')), end)
    assert.deepEqual(decodeQueueEntry('key', record), message(undefined))
  })
})
