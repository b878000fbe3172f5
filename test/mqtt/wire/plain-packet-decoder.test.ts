import assert from 'node:assert/strict'
import fc from 'fast-check'
import { generate } from 'mqtt-packet'
import { PlainPacketDecoder } from '../../../src/mqtt/wire/plain-packet-decoder.ts'

function packet(version: 4 | 5, fields: object = {}): Buffer {
  const publish = { cmd: 'publish', topic: 'a/b', payload: 'x', qos: 0, dup: false, retain: false } as const
  return generate({ ...publish, ...fields }, { protocolVersion: version })
}

describe('PlainPacketDecoder', () => {
  const decoder = new PlainPacketDecoder()

  for (const version of [4, 5] as const) {
    it(`reads packets of version ${version} one behind the other, each to be sent on as it is`, () => {
      const packets = ['', 'x', 'y'.repeat(200)].map(payload =>
        packet(version, { topic: `t/${payload.length}`, payload }),
      )
      const bytes = Buffer.concat([Buffer.from('?'), ...packets])
      let at = 1
      for (const each of packets) {
        const read = decoder.read(bytes, at, version === 5)
        assert.ok(read)
        assert.equal(read.topic, `t/${read.payload.length}`)
        assert.equal(read.qos, 0)
        assert.equal(read.publisher, '')
        assert.deepEqual(Buffer.from(read.packet.bytes.subarray(read.packet.start, read.packet.end)), each)
        at = read.packet.end
      }
      assert.equal(at, bytes.length)
    })
  }

  it('refuses what is not plain, not whole or no valid topic, and what is of another version', () => {
    const refused: [string, Buffer, boolean][] = [
      ['QoS 1', packet(4, { qos: 1, messageId: 1 }), false],
      ['retain', packet(4, { retain: true }), false],
      ['properties', packet(5, { properties: { contentType: 'x' } }), true],
      ['a wildcard', packet(4, { topic: 'a/b' }).fill('#', 4, 5), false],
      ['U+0000', packet(4).fill(0, 4, 5), false],
      ['bad UTF-8', packet(4).fill(0xff, 4, 5), false],
      ['cut off', packet(4).subarray(0, -1), false],
      ['another packet', Buffer.from([0xc0, 0]), false],
      ['no topic', Buffer.from([0x30, 2, 0, 0]), false],
      ['a length of five bytes', Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 1, 0]), false],
      ['nothing', Buffer.alloc(0), false],
    ]
    for (const [what, bytes, isVersion5] of refused)
      assert.equal(decoder.read(bytes, 0, isVersion5), undefined, what)
  })

  it('never throws and never reads past the end, whatever the bytes', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.tuple(fc.nat(20), fc.integer({ min: 0, max: 255 }), fc.nat(30)).map(([at, value, cut]) => {
        const broken = packet(4, { payload: 'some payload' })
        broken[at % broken.length] = value
        return broken.subarray(0, cut)
      }),
    )
    fc.assert(
      fc.property(bytes, fc.boolean(), (bytes, isVersion5) => {
        const read = decoder.read(bytes, 0, isVersion5)
        if (read !== undefined) assert.ok(read.packet.end <= bytes.length)
      }),
      { numRuns: 2000 },
    )
  })
})
