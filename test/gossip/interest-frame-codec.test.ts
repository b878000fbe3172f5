import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  decodeInterestFrame,
  encodeApplied,
  encodeDigest,
  encodePatterns,
  encodePull,
  encodeRepairBegin,
  encodeRepairEnd,
  encodeSegments,
} from '../../gossip/interest-frame-codec.ts'
import type { Segment } from '../../gossip/segment-codec.ts'

const uint64 = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const summary = fc.record({
  incarnation: uint64,
  sequence: uint64,
  generation: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  bits: fc.integer({ min: 15, max: 26 }),
  exactCount: uint32,
  exactChecksum: uint32,
  patternCount: uint32,
  patternChecksum: uint32,
})
/** Empty, sparse or dense. */
const segment = fc
  .record({ index: fc.nat(2047), fill: fc.constantFrom(0, 3, 900, 1024), word: uint32 })
  .map(({ index, fill, word }) => ({ index, words: new Uint32Array(1024).fill(word, 0, fill) }))
const segments = fc.array(segment, { minLength: 1, maxLength: 40 })

describe('interest frame codec', () => {
  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(
        summary,
        fc.array(uint32, { maxLength: 64 }),
        fc.boolean(),
        (summary, sums, hasPatterns) => {
          assert.deepEqual(decodeInterestFrame(encodeDigest(summary)), { type: 'digest', ...summary })
          const begin = { ...summary, segments: 1, hasPatterns }
          assert.deepEqual(decodeInterestFrame(encodeRepairBegin(begin)), { type: 'repair-begin', ...begin })
          const { generation, patternCount, patternChecksum, incarnation, sequence } = summary
          const pull = { generation, patternCount, patternChecksum, checksums: Uint32Array.from(sums) }
          assert.deepEqual(decodeInterestFrame(encodePull(pull)), { type: 'pull', ...pull })
          const applied = encodeApplied(incarnation, sequence)
          assert.deepEqual(decodeInterestFrame(applied), { type: 'applied', incarnation, sequence })
        },
      ),
    )
    assert.deepEqual(decodeInterestFrame(encodeRepairEnd()), { type: 'repair-end' })
  })

  it('carries any segments, in parts of at most 64 KiB', () => {
    fc.assert(
      fc.property(segments, original => {
        const read: Segment[] = []
        for (let at = 0; at < original.length;) {
          const { frame, next } = encodeSegments(original, at)
          assert.ok(frame.length <= 64 * 1024 && next > at)
          const decoded = decodeInterestFrame(frame)
          assert.equal(decoded?.type, 'segments')
          if (decoded?.type === 'segments') read.push(...decoded.segments)
          at = next
        }
        assert.deepEqual(read, original)
      }),
      { numRuns: 50 },
    )
  })

  it('carries many patterns, and one of the largest size', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => ({
      group: i % 3 === 0 ? 'g' : '',
      filter: i === 7 ? 'x'.repeat(65_535) : `site/${i}/line/+/${'x'.repeat(i % 90)}`,
      members: 1,
    }))
    const read: unknown[] = []
    for (let at = 0; at < many.length;) {
      const { frame, next } = encodePatterns(many, at)
      const decoded = decodeInterestFrame(frame)
      if (decoded?.type === 'patterns') read.push(...decoded.patterns)
      at = next
    }
    assert.deepEqual(read, many)
  })

  it('never throws, and refuses truncated and extended frames', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), bytes => void decodeInterestFrame(bytes)))
    fc.assert(
      fc.property(segments, fc.nat(), (original, at) => {
        const { frame } = encodeSegments(original, 0)
        assert.equal(decodeInterestFrame(frame.subarray(0, at % frame.length)), undefined)
        assert.equal(decodeInterestFrame(Uint8Array.of(...frame, 0)), undefined)
      }),
      { numRuns: 50 },
    )
  })

  it('refuses numbers of things that are not there, without reading on', () => {
    const frames = [
      encodeSegments([{ index: 0, words: new Uint32Array(1024) }], 0).frame,
      encodePatterns([{ group: '', filter: 'a', members: 1 }], 0).frame,
    ]
    for (const frame of frames) {
      new DataView(frame.buffer, frame.byteOffset).setUint32(2, 2 ** 32 - 1)
      assert.equal(decodeInterestFrame(frame), undefined)
    }
  })

  it('refuses what no node may have', () => {
    const refused = [
      { group: '', filter: '', members: 1 },
      { group: 'a/b', filter: 'c', members: 1 },
      { group: '', filter: '+', members: 2 },
    ]
    for (const pattern of refused)
      assert.equal(decodeInterestFrame(encodePatterns([pattern], 0).frame), undefined)
  })
})
