import assert from 'node:assert/strict'
import { decodeWill, encodeWill, WILL_BYTES_MAX } from '../../coordination/will-record.ts'
import type { WillRecord } from '../../src/core/ports/session-journal.ts'

const id = { incarnation: 2 ** 41 + 7, number: 2 ** 48 + 1 }

function will(payloadBytes: number, properties?: Uint8Array): WillRecord {
  const publication = {
    topic: 'haus/küche',
    payload: new Uint8Array(payloadBytes).fill(7),
    qos: 2 as const,
    retain: true,
    properties,
    expiresAtMs: undefined,
    publisher: 'x',
    id,
  }
  return { publication, messageExpirySeconds: 4_000_000_000, delaySeconds: 0xffff_ffff }
}

describe('will records', () => {
  it('come back as they were kept', () => {
    for (const record of [will(3), will(0), will(256, Uint8Array.of(1, 2, 3))]) {
      assert.deepEqual(decodeWill(encodeWill(record, id)), { will: record, id, dueAtMs: undefined })
    }
    assert.equal(decodeWill(encodeWill(will(3), id, 1_800_000_000_123))?.dueAtMs, 1_800_000_000_123)
  })

  it('of more than the bound are kept without what was to be published', () => {
    const bytes = encodeWill(will(WILL_BYTES_MAX), id)
    assert.ok(bytes.length < 64)
    assert.deepEqual(decodeWill(bytes), { will: undefined, id, dueAtMs: undefined })
    const topic = { ...will(0), publication: { ...will(0).publication, topic: 'é'.repeat(32_000) } }
    assert.equal(decodeWill(encodeWill(topic, id))?.will, undefined)
  })

  it('that are cut short or of another version are none', () => {
    const bytes = encodeWill(will(0, Uint8Array.of(1, 2, 3)), id)
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(decodeWill(bytes.subarray(0, length)), undefined)
    }
    const other = Uint8Array.from(bytes)
    other[0] = 2
    assert.equal(decodeWill(other), undefined)
  })
})
