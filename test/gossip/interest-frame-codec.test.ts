import assert from 'node:assert/strict'
import fc from 'fast-check'
import { filterHash } from '../../gossip/filter-hash.ts'
import {
  decodeInterestFrame,
  encodeBare,
  encodeConfirm,
  encodePart,
  encodeSummary,
} from '../../gossip/interest-frame-codec.ts'

const uint64 = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const summary = fc.record({ incarnation: uint64, sequence: uint64, count: uint32, checksum: uint32 })
const filters = fc.array(fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }), { minLength: 1 })

describe('interest frame codec', () => {
  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(summary, summary => {
        for (const type of ['digest', 'snapshot-begin'] as const) {
          assert.deepEqual(decodeInterestFrame(encodeSummary(type, summary)), { type, ...summary })
        }
        const { incarnation, sequence } = summary
        const confirm = encodeConfirm(incarnation, sequence)
        assert.deepEqual(decodeInterestFrame(confirm), { type: 'confirm', incarnation, sequence })
      }),
    )
    for (const type of ['pull', 'snapshot-end'] as const) {
      assert.deepEqual(decodeInterestFrame(encodeBare(type)), { type })
    }
  })

  it('reads back the filters of a part, with their checksum', () => {
    fc.assert(
      fc.property(filters, filters => {
        const { frame, next } = encodePart(filters, 0)
        assert.equal(next, filters.length)
        const checksum = filters.reduce((sum, filter) => (sum + hashOf(filter)) >>> 0, 0)
        assert.deepEqual(decodeInterestFrame(frame), { type: 'snapshot-part', filters, checksum })
      }),
    )
  })

  it('cuts many filters into parts of at most 64 KiB', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => `site/${i}/line/+/${'x'.repeat(i % 90)}`)
    const read: string[] = []
    for (let at = 0; at < many.length;) {
      const { frame, next } = encodePart(many, at)
      assert.ok(frame.length <= 64 * 1024)
      const decoded = decodeInterestFrame(frame)
      assert.equal(decoded?.type, 'snapshot-part')
      if (decoded?.type === 'snapshot-part') read.push(...decoded.filters)
      at = next
    }
    assert.deepEqual(read, many)
  })

  it('carries a filter of the largest size alone', () => {
    const { frame, next } = encodePart(['x'.repeat(65_535), 'y'], 0)
    assert.equal(next, 1)
    assert.equal(decodeInterestFrame(frame)?.type, 'snapshot-part')
  })

  it('never throws, and refuses truncated and extended frames', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), bytes => void decodeInterestFrame(bytes)))
    fc.assert(
      fc.property(filters, fc.nat(), (filters, at) => {
        const { frame } = encodePart(filters, 0)
        assert.equal(decodeInterestFrame(frame.subarray(0, at % frame.length)), undefined)
        assert.equal(decodeInterestFrame(Uint8Array.of(...frame, 0)), undefined)
      }),
    )
  })

  it('refuses a part that announces more filters than it holds, without reading on', () => {
    const { frame } = encodePart(['a'], 0)
    new DataView(frame.buffer, frame.byteOffset).setUint32(2, 2 ** 32 - 1)
    assert.equal(decodeInterestFrame(frame), undefined)
  })
})

function hashOf(filter: string): number {
  const bytes = new TextEncoder().encode(filter)
  return filterHash(bytes, 0, bytes.length)
}
