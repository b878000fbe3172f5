import assert from 'node:assert/strict'
import fc from 'fast-check'
import { generate, parser, type IPublishPacket } from 'mqtt-packet'
import type { QoS } from '../../../src/core/qos.ts'
import type { ProtocolVersion } from '../../../src/mqtt/wire/packet-types.ts'
import { PublishDecoder } from '../../../src/mqtt/wire/publish-decoder.ts'
import { PublishEncoder } from '../../../src/mqtt/wire/publish-encoder.ts'

function bodyStart(bytes: Uint8Array): number {
  let at = 1
  while ((bytes[at] ?? 0) >= 128) at++
  return at + 1
}

function parse(bytes: Uint8Array, version: ProtocolVersion): IPublishPacket {
  let found: IPublishPacket | undefined
  const oracle = parser({ protocolVersion: version })
  oracle.on('packet', packet => {
    if (packet.cmd === 'publish') found = packet
  })
  oracle.on('error', error => {
    throw error
  })
  oracle.parse(Buffer.from(bytes))
  assert.ok(found)
  return found
}

const text = fc
  .string({ unit: 'grapheme', maxLength: 30 })
  .filter(value => !value.includes('\0') && value.isWellFormed())
const topic = text.filter(value => value.length > 0 && !/[+#]/.test(value))
const version = fc.constantFrom<ProtocolVersion>(4, 5)
const publish = fc.record({
  topic,
  payload: fc.uint8Array({ maxLength: 400 }).map(bytes => Buffer.from(bytes)),
  qos: fc.constantFrom<QoS>(0, 1, 2),
  retain: fc.boolean(),
  messageId: fc.integer({ min: 1, max: 65_535 }),
  properties: fc.record(
    {
      contentType: text,
      responseTopic: topic,
      correlationData: fc.uint8Array({ maxLength: 20 }).map(bytes => Buffer.from(bytes)),
      messageExpiryInterval: fc.integer({ min: 0, max: 0xffff_ffff }),
      payloadFormatIndicator: fc.boolean(),
    },
    { requiredKeys: [] },
  ),
})

describe('PublishDecoder and PublishEncoder', () => {
  it('read and write what mqtt-packet writes and reads', () => {
    const decoder = new PublishDecoder(128)
    fc.assert(
      fc.property(version, publish, (level, sent) => {
        const bytes = generate({ cmd: 'publish', dup: false, ...sent }, { protocolVersion: level })
        assert.equal(decoder.decode(bytes, 0, bodyStart(bytes), bytes.length, level), undefined)
        assert.equal(decoder.topic, sent.topic)
        assert.equal(decoder.qos, sent.qos)
        assert.equal(decoder.retain, sent.retain)
        assert.equal(decoder.packetId, sent.qos > 0 ? sent.messageId : 0)
        assert.deepEqual(Buffer.from(decoder.payload), sent.payload)
        const expiry = decoder.messageExpirySeconds
        const encoded = new PublishEncoder().encode(
          {
            topic: decoder.topic,
            payload: decoder.payload,
            qos: decoder.qos,
            retain: decoder.retain,
            properties: decoder.properties,
            expiresAtMs: expiry === undefined ? undefined : expiry * 1000,
            publisher: '',
          },
          level,
          sent.qos,
          sent.retain,
          0,
        )
        const copy = Buffer.from(encoded.bytes)
        if (encoded.packetIdOffset !== -1) copy.writeUInt16BE(sent.messageId, encoded.packetIdOffset)
        const again = parse(copy, level)
        const original = parse(bytes, level)
        assert.deepEqual(again.properties ?? {}, original.properties ?? {})
        assert.deepEqual(again.payload, original.payload)
        assert.equal(again.topic, original.topic)
        assert.equal(again.messageId, original.messageId)
      }),
    )
  })

  it('[MQTT-3.3.2-18] keeps user properties in order, duplicates included', () => {
    const pairs = [
      ['b', '1'],
      ['a', '2'],
      ['b', '3'],
      ['__proto__', 'x'],
    ] as const
    const block = Buffer.concat(
      pairs.map(([name, value]) =>
        Buffer.from([
          0x26,
          0,
          Buffer.byteLength(name),
          ...Buffer.from(name),
          0,
          value.length,
          ...Buffer.from(value),
        ]),
      ),
    )
    const bytes = Buffer.concat([
      Buffer.from([0x30, 3 + 1 + 5 + 3 + block.length, 0, 1, 0x74, block.length + 5 + 3]),
      Buffer.from([0x02, 0, 0, 0, 9]),
      block,
      Buffer.from([0x23, 0, 4]),
    ])
    const decoder = new PublishDecoder(128)
    assert.equal(decoder.decode(bytes, 0, 2, bytes.length, 5), undefined)
    assert.deepEqual(Buffer.from(decoder.properties ?? []), block)
    assert.equal(decoder.messageExpirySeconds, 9)
    assert.equal(decoder.topicAlias, 4)
  })

  it('never throws, and never reads beyond the packet, whatever the bytes', () => {
    const decoder = new PublishDecoder(128)
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 80 }), version, (bytes, level) => {
        const first = bytes[0] ?? 0
        bytes[0] = 0x30 | (first & 15)
        const fault = decoder.decode(bytes, 0, 2, bytes.length, level)
        if (fault === undefined) assert.ok(decoder.payload.length <= bytes.length - 2)
      }),
      { numRuns: 2000 },
    )
  })

  const malformed: readonly (readonly [name: string, bytes: readonly number[], version: ProtocolVersion])[] =
    [
      ['[MQTT-3.3.1-4] QoS 3', [0x36, 5, 0, 1, 0x74, 0, 1], 4],
      ['[MQTT-3.3.1-2] DUP at QoS 0', [0x38, 3, 0, 1, 0x74], 4],
      ['[MQTT-2.2.1-3] packet identifier 0', [0x32, 5, 0, 1, 0x74, 0, 0], 4],
      ['[MQTT-1.5.4-2] U+0000 in the topic', [0x30, 3, 0, 1, 0], 4],
      ['[MQTT-1.5.4-1] a lone surrogate in the topic', [0x30, 5, 0, 3, 0xed, 0xa0, 0x80], 4],
      ['a topic longer than the packet', [0x30, 3, 0, 9, 0x74], 4],
      ['a property length beyond the packet', [0x30, 4, 0, 1, 0x74, 9], 5],
      ['an unknown property', [0x30, 6, 0, 1, 0x74, 2, 0x7e, 1], 5],
      ['a property that stands twice', [0x30, 8, 0, 1, 0x74, 4, 0x01, 0, 0x01, 0], 5],
      ['a property of another packet', [0x30, 7, 0, 1, 0x74, 3, 0x21, 0, 1], 5],
      ['a flag that is neither 0 nor 1', [0x30, 6, 0, 1, 0x74, 2, 0x01, 2], 5],
    ]
  for (const [name, bytes, level] of malformed) {
    it(`refuses ${name}`, () => {
      const fault = new PublishDecoder(128).decode(Uint8Array.from(bytes), 0, 2, bytes.length, level)
      assert.ok(fault !== undefined && fault.reasonCode >= 0x81)
    })
  }
})
