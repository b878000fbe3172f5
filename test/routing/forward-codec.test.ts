import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Publication } from '../../src/core/publication.ts'
import { everyGroup, everyGroupBut } from '../../routing/every-group.ts'
import { decodePosition, decodePublish, encodePublish, stampPublish } from '../../routing/forward-codec.ts'

const publication = fc.record({
  topic: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter(text => text.isWellFormed()),
  payload: fc.uint8Array({ maxLength: 300 }),
  qos: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
  retain: fc.boolean(),
  properties: fc.option(fc.uint8Array({ minLength: 1, maxLength: 50 }), { nil: undefined }),
  remainingMs: fc.option(fc.integer({ min: 0, max: 2 ** 43 }), { nil: undefined }),
  sequence: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
})

describe('the forward codec', () => {
  it('carries a publication as it was, with the time left instead of a clock', () => {
    fc.assert(
      fc.property(publication, ({ remainingMs, sequence, ...sent }) => {
        const original: Publication = {
          ...sent,
          publisher: 'someone',
          expiresAtMs: remainingMs === undefined ? undefined : 1000 + remainingMs,
        }
        const frame = encodePublish(original)
        stampPublish(frame, original.qos === 0 ? 0 : sequence, remainingMs ?? 0)
        const decoded = decodePublish(frame, 5000) // another node's clock
        assert.equal(decoded?.sequence, original.qos === 0 ? 0 : sequence)
        const { payload, properties, ...rest } = decoded.publication
        assert.deepEqual(rest, {
          topic: sent.topic,
          qos: sent.qos,
          retain: sent.retain,
          publisher: '',
          expiresAtMs: remainingMs === undefined ? undefined : 5000 + remainingMs,
        })
        assert.deepEqual(Uint8Array.from(payload), sent.payload)
        assert.deepEqual(properties && Uint8Array.from(properties), sent.properties)
        frame.fill(0xff)
        if (original.qos > 0)
          assert.deepEqual(Uint8Array.from(payload), sent.payload, 'kept beyond the frame')
      }),
    )
  })

  it('carries for a shared subscription what stands for the publisher, if that is needed there', () => {
    const message = {
      ...({ topic: 't', payload: new Uint8Array(3), qos: 0, retain: false, properties: undefined } as const),
      ...{ expiresAtMs: undefined, publisher: 'someone' },
    }
    for (const target of [
      { group: 'g', filter: 't' },
      everyGroup,
      everyGroupBut([{ group: 'h', filter: '#' }]),
    ]) {
      for (const publisherKey of [0, 1, 0xffff_ffff]) {
        const decoded = decodePublish(encodePublish({ ...message, publisherKey }, target), 0)
        assert.deepEqual([decoded?.target, decoded?.publication.publisherKey], [target, publisherKey])
      }
      const decoded = decodePublish(encodePublish(message, target), 0)
      assert.deepEqual([decoded?.target, decoded?.publication.publisherKey], [target, undefined])
    }
    for (const key of ['', 'x', '-1', '100000000'])
      assert.equal(decodePublish(encodePublish(message, { group: `g\0${key}`, filter: 't' }), 0), undefined)
  })

  it('leaves no byte of a frame as it found it in memory', () => {
    const frame = encodePublish({
      topic: 't',
      payload: new Uint8Array(0),
      qos: 1,
      retain: false,
      properties: undefined,
      expiresAtMs: undefined,
      publisher: '',
    })
    // Kind, QoS, then sequence and expiry, which are stamped when it is sent; outboxes and sessions that move keep it as it is.
    assert.deepEqual(Array.from(frame), [4, 1, ...new Array<number>(16).fill(0), 0, 1, 0x74])
  })

  it('refuses frames with lengths that lie, and never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(
        publication,
        fc.nat(),
        fc.integer({ min: 0, max: 255 }),
        fc.nat(),
        (sent, at, value, cut) => {
          const frame = encodePublish({ ...sent, publisher: '', expiresAtMs: undefined })
          stampPublish(frame, sent.qos === 0 ? 0 : 1, 0)
          frame[at % frame.length] = value
          const shortened = frame.subarray(0, cut % (frame.length + 1))
          decodePublish(frame, 0)
          decodePublish(shortened, 0)
          decodePosition(shortened)
        },
      ),
      { numRuns: 2000 },
    )
    const lying = encodePublish({
      topic: 't',
      payload: new Uint8Array(3),
      qos: 0,
      retain: false,
      properties: new Uint8Array(2),
      expiresAtMs: undefined,
      publisher: '',
    })
    lying[18] = 0xff // topic length
    assert.equal(decodePublish(lying, 0), undefined)
  })
})
