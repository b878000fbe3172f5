import assert from 'node:assert/strict'
import fc from 'fast-check'
import { readAll } from '../../coordination/part-reader.ts'
import { PartWriter } from '../../coordination/part-writer.ts'
import type { SessionPart, SessionRecord } from '../../src/core/ports/session-journal.ts'
import type { QoS } from '../../src/core/qos.ts'

const qos = fc.constantFrom<QoS>(0, 1, 2)
const count = fc.maxSafeNat()
const text = fc.string({ unit: 'binary', maxLength: 30 }).map(value => value.toWellFormed())
const bytes = fc.uint8Array({ maxLength: 300 })
const optional = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(values, { nil: undefined })

const publication = fc
  .record({
    topic: text,
    payload: bytes,
    qos,
    retain: fc.boolean(),
    properties: optional(bytes),
    expiresAtMs: optional(fc.nat()),
    publisher: text,
    id: optional(fc.record({ incarnation: count, number: count })),
  })
  .map(({ id, ...rest }) => (id === undefined ? rest : { ...rest, id }))

const part: fc.Arbitrary<SessionPart> = fc.oneof(
  fc.record({
    type: fc.constant('subscription' as const),
    subscription: fc
      .record({
        filter: text,
        qos,
        noLocal: fc.boolean(),
        retainAsPublished: fc.boolean(),
        subscriptionIdentifier: optional(fc.integer({ min: 1, max: 268_435_455 })),
        fromPosition: optional(count),
      })
      .map(({ fromPosition, ...rest }) => (fromPosition === undefined ? rest : { ...rest, fromPosition })),
  }),
  fc.record({
    type: fc.constant('entry' as const),
    wasSent: fc.boolean(),
    entry: fc
      .record({
        position: count,
        qos,
        retain: fc.boolean(),
        subscriptionIdentifiers: fc.array(fc.nat(), { maxLength: 5 }),
        publication,
        target: optional(fc.record({ group: fc.string(), filter: fc.string() })),
      })
      .map(({ target, ...rest }) => (target === undefined ? rest : { ...rest, target })),
  }),
  count.map(position => ({ type: 'entry', entry: { position, isReleased: true }, wasSent: true }) as const),
  fc.record({
    type: fc.constant('received' as const),
    packetId: fc.integer({ min: 1, max: 65_535 }),
    id: optional(fc.record({ incarnation: count, number: count })),
  }),
  fc.record({
    type: fc.constant('will' as const),
    will: fc.record({ publication, messageExpirySeconds: optional(fc.nat()), delaySeconds: fc.nat() }),
  }),
  fc.record({ type: fc.constant('known' as const), id: fc.record({ incarnation: count, number: count }) }),
)

function written(parts: readonly SessionPart[], nowMs = 0): Uint8Array {
  const writer = new PartWriter(nowMs)
  for (const one of parts) writer.part(one)
  return writer.bytes.slice()
}

function read(data: Uint8Array, nowMs = 0): SessionPart[] | undefined {
  return readAll(data, nowMs, reader => {
    const parts: SessionPart[] = []
    while (!reader.isAtEnd) parts.push(reader.part())
    return parts
  })
}

describe('parts of sessions as bytes', () => {
  it('gives parts back as they were', () => {
    fc.assert(
      fc.property(fc.array(part), parts =>
        assert.deepEqual(structuredClone(read(written(parts))), structuredClone(parts)),
      ),
    )
  })

  it('gives back topics and publishers that differ little from those of the message before', () => {
    const texts = ['', 'a/1', 'a/1', 'a/2', 'b/2', 'a/12', 'a/1', 'ü', 'u', '']
    const parts = texts.map((topic, position): SessionPart => {
      const publisher = texts.at(-position) ?? ''
      const options = { qos: 1, retain: false, properties: undefined, expiresAtMs: undefined } as const
      const message = { payload: new Uint8Array(), topic, publisher, ...options }
      const entry = {
        position,
        qos: 1,
        retain: false,
        subscriptionIdentifiers: [],
        publication: message,
      } as const
      return { type: 'entry', wasSent: false, entry }
    })
    assert.deepEqual(structuredClone(read(written(parts))), parts)
  })

  it('answers undefined to bytes cut off anywhere, and never throws on others', () => {
    fc.assert(
      fc.property(part, fc.nat(), (one, cut) => {
        const data = written([one])
        assert.equal(read(data.subarray(0, 1 + (cut % (data.length - 1))))?.length ?? 0, 0)
      }),
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), data => void read(data)))
  })

  it('carries what is left of an expiry, whatever the clocks say', () => {
    const message: SessionPart = {
      type: 'entry',
      wasSent: false,
      entry: {
        position: 1,
        qos: 1,
        retain: false,
        subscriptionIdentifiers: [],
        publication: {
          topic: 't',
          payload: new Uint8Array(0),
          qos: 1,
          retain: false,
          properties: undefined,
          expiresAtMs: 5000,
          publisher: '',
        },
      },
    }
    const [received] = read(written([message], 2000), 1_000_000) ?? []
    assert.ok(received?.type === 'entry' && !('isReleased' in received.entry))
    assert.equal(received.entry.publication.expiresAtMs, 1_003_000)
  })

  it('gives a session back with its marks', () => {
    const record: SessionRecord = {
      clientId: 'x',
      token: { epoch: 1, revision: 2 },
      expiryIntervalSeconds: 0xffff_ffff,
      disconnectedAtMs: 500,
      departure: { to: 'b', nextPosition: 2 ** 40, restTo: 2 ** 41 },
      tails: [
        { from: 'a', token: { epoch: 1, revision: 1 }, position: 9, restTo: 11 },
        { from: 'c', token: { epoch: 1, revision: 3 }, position: 7, isLoose: true },
        { from: 'd', token: { epoch: 1, revision: 4 }, position: 8, isPassed: true, owing: ['g', 'h'] },
        {
          from: 'e',
          token: { epoch: 1, revision: 5 },
          position: 9,
          isLoose: true,
          isPassed: true,
          owing: ['g'],
          heldAt: 11,
        },
      ],
      floors: [{ incarnation: 2 ** 41, number: 12 }],
      beyond: [{ incarnation: 2 ** 41, number: 14 }],
      gaps: [{ from: 'a', incarnation: 2 ** 41, above: 3, upTo: 2 ** 40 }],
      hadWills: [{ incarnation: 2 ** 41, number: 2 ** 48 }],
    }
    const writer = new PartWriter(1000)
    writer.session(record)
    const { token: _, departure: __, ...sent } = record
    assert.deepEqual(
      readAll(writer.bytes, 2000, reader => reader.session()),
      { ...sent, disconnectedAtMs: 1500, nextPosition: 2 ** 40, restTo: 2 ** 41 },
    )
  })
})
